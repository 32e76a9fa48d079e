// Embeddings of several models side by side, and what the heads of a probe file say of them. Behind
// `call: probe` and the command `consort probe`.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/probe/probe_file.h"
#include "scheduler/host/model_handle.h"

namespace consort::probe_call {

struct ItemRows {
  std::vector<ProbeEncoder> encoders;  // with the digests of the weights that answered
  std::size_t dimension = 0;           // of all encoders together; 0 when every item failed
  std::vector<std::vector<float>>
      rows;                       // of each item [parts, dimension] (level item: one); empty: it failed
  std::vector<bool> truncated;    // a model's limit cut the item
  std::vector<ItemError> errors;  // of items, ascending: the first model's that could not read it
  Usage usage;

  const Error* error_of(std::size_t item) const;
};

// Asks every model at the same time. `unit_length`: each model's row is brought to length 1 (a row of zeros
// stays). Errors: those of acquire and embed; kInvalid when the models cut an item into different numbers of
// parts.
Async<ItemRows> embed_side_by_side(ModelDirectory& models, std::vector<std::string> ids,
                                   std::vector<ModelInput> items, std::string input_type,
                                   EmbeddingLevel level, bool unit_length, RequestContext context);

// `items` as `file` wants them embedded. Errors: those above; kInvalid when a model has other weights, or
// embeddings of another dimension, than the file was fitted on.
Async<ItemRows> embed_for_probe(ModelDirectory& models, const ProbeFile& file, std::vector<ModelInput> items,
                                RequestContext context);

// {predictions: {target: {value} | {labels: [{label, score}]}}} of an item's row, labels by their score; with
// a file of level part {parts: [{predictions}, ...]}. Errors: those of Probe::apply.
Result<Value> predictions_value(const ProbeFile& file, std::span<const float> rows);

}  // namespace consort::probe_call
