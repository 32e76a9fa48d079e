// What the calls that ask one model one thing have in common.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agents/calls/options.h"
#include "scheduler/host/model_handle.h"

namespace consort {

// A handler with its services and its embedded schema.
class CallHandler : public TaskHandler {
 public:
  CallHandler(CallServices services, std::string_view kind, std::string_view schema)
      : services_(services), kind_(kind), schema_(embedded_schema(schema)) {}
  std::string_view kind() const final { return kind_; }
  const Value& options_schema() const final { return schema_; }
  // Models answer and memories change by the record's writes; a kind with effects of its own says false.
  bool repeatable() const override { return true; }

 protected:
  const CallServices services_;

 private:
  const std::string kind_;
  const Value schema_;
};

// Acquires `model` and asks it. Errors: those of acquire and of the question; kUnavailable without models.
template <typename Request, typename Answer>
Async<Answer> ask_model(ModelDirectory* models, std::string model,
                        Async<Answer> (ModelHandle::*question)(Request, RequestContext) const,
                        Request request, RequestContext context) {
  if (models == nullptr) co_return not_connected("a model", "models");
  auto handle = co_await models->acquire(std::move(model), context);
  if (!handle) co_return forward_error(handle);
  auto asked = ((*handle).*question)(std::move(request), context);
  co_return co_await std::move(asked);
}

// The `input` of embed and classify: one item or a list of them. An item is a text, a blob's handle, or an
// object with one member: text, smiles, image, file or graph (its value a text, a handle, or, for graph, the
// graph itself). A bare text or handle is what the model takes. Errors: kInvalid with the place, those of
// BlobStore::get. Reads blobs: may block for a file's read.
struct ModelInputs {
  std::vector<ModelInput> items;
  bool single = false;
};
Result<ModelInputs> read_model_inputs(const Value& input, BlobStore* blobs);

// The first item's error as the error of the call, with the item's place; ok when there is none.
Status first_error(const ItemReport& report, bool single);

// [{label, score}, ...].
Value label_values(const std::vector<LabelScore>& labels);
// A matrix's row as a list of numbers.
Value row_value(const TensorView& rows, std::int64_t row);

}  // namespace consort
