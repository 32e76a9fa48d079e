// ModelLoader: from a path to everything a host needs: weights, tokenizer, chat template and the network.
// Tests inject their own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "memory/base/status.h"
#include "models/formats/weight_source.h"
#include "models/model.h"
#include "models/network/network.h"
#include "models/tokenizer/chat_template.h"
#include "models/tokenizer/tokenizer.h"

namespace consort {

class Lane;
class PackedCache;

// Exactly one of model and network is set.
struct LoadedModel {
  std::string id;
  std::shared_ptr<const WeightSource> source;  // may be null in tests
  std::shared_ptr<const Tokenizer> tokenizer;  // null for networks that read no text
  std::optional<ChatTemplate> chat;            // language models
  std::unique_ptr<Model> model;
  std::unique_ptr<Network> network;
  std::string query_prefix, document_prefix;  // text encoders, from the catalogue
  double load_ms = 0;
};

// Called on a host's thread; uses lane.call() for what needs the lane (packing).
using ModelLoader = std::function<Result<LoadedModel>(const std::string& id, Lane& lane)>;

struct ModelPlace {
  std::string path;  // for open_weights()
  std::string query_prefix, document_prefix;
  Precision precision = Precision::kFile;
  ActivationFormat activations = ActivationFormat::kInt16;
};
// `resolve`: from a catalogue id or path to a place. Errors: kNotFound with what to do. `packed`: where weights
// packed by earlier loads are found and left, or null: every load packs them.
ModelLoader make_model_loader(std::function<Result<ModelPlace>(const std::string& id)> resolve,
                              std::shared_ptr<PackedCache> packed = nullptr);

}  // namespace consort
