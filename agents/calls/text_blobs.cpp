#include "agents/calls/text_blobs.h"

#include <algorithm>
#include <utility>

#include "scheduler/blob/blob_store.h"
#include "scheduler/value/utf8.h"

namespace consort {
namespace {

bool allows(const Value& schema, std::string_view type) {
  const Value* given = schema.find("type");
  if (given == nullptr) return false;
  if (given->is_string()) return given->as_string() == type;
  return std::any_of(given->as_array().begin(), given->as_array().end(),
                     [&](const Value& t) { return t.is_string() && t.as_string() == type; });
}

Result<Value> text_of_blob(const Value& handle, BlobStore& blobs) {
  CONSORT_TRY(blob, blobs.get(handle));
  if (!utf8::valid(blob.bytes.text()))
    return fail(ErrorKind::kInvalid, "a text is wanted, but the blob is " + blob.media_type, blob.name,
                "give a file of UTF-8 text");
  return Value(blob.bytes.text());
}

class TakingTextBlobs final : public TaskHandler {
 public:
  TakingTextBlobs(std::shared_ptr<TaskHandler> handler, BlobStore* blobs)
      : handler_(std::move(handler)), blobs_(blobs) {}
  std::string_view kind() const override { return handler_->kind(); }
  const Value& options_schema() const override { return handler_->options_schema(); }
  Result<Value> arguments(Value with) const override {
    if (blobs_ == nullptr || blob_handles_in(with).empty()) return with;
    return with_blob_texts(with, handler_->options_schema(), *blobs_);
  }
  bool repeatable() const override { return handler_->repeatable(); }
  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override {
    return handler_->run(context, std::move(with));
  }

 private:
  const std::shared_ptr<TaskHandler> handler_;
  BlobStore* const blobs_;
};

}  // namespace

Result<Value> with_blob_texts(const Value& value, const Value& schema, BlobStore& blobs) {
  if (is_blob_handle(value)) {
    if (allows(schema, "string") && !allows(schema, "object")) return text_of_blob(value, blobs);
    return value;
  }
  if (value.is_object()) {
    const Value properties = schema.get("properties");
    Value out = value;
    for (const auto& [key, member] : value.as_object()) {
      const Value* inner = properties.find(key);
      if (inner == nullptr || !(member.is_object() || member.is_array())) continue;
      CONSORT_TRY(changed, with_blob_texts(member, *inner, blobs));
      out = out.with(key, std::move(changed));
    }
    return out;
  }
  if (value.is_array()) {
    Value::Array out;
    for (const Value& item : value.as_array()) {
      CONSORT_TRY(changed, with_blob_texts(item, schema.get("items"), blobs));
      out.push_back(std::move(changed));
    }
    return Value::array(std::move(out));
  }
  return value;
}

std::shared_ptr<TaskHandler> taking_text_blobs(std::shared_ptr<TaskHandler> handler, BlobStore* blobs) {
  return std::make_shared<TakingTextBlobs>(std::move(handler), blobs);
}

}  // namespace consort
