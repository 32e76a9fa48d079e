// call: embed. Embeddings of one text or a list of texts.
#include "agents/calls/options.h"

namespace consort {
namespace {

constexpr std::string_view kSchema =
#include "agents/calls/embed/schema.json.inc"
    ;

Value row_value(const TensorView& view, std::int64_t row) {
  const float* values = view.as<float>() + row * view.cols();
  Value::Array out;
  out.reserve(static_cast<std::size_t>(view.cols()));
  for (std::int64_t i = 0; i < view.cols(); ++i) out.emplace_back(static_cast<double>(values[i]));
  return Value::array(std::move(out));
}

Value output_value(const EmbedResult& result, bool single) {
  const TensorView& view = result.embeddings.view;
  if (single) return Value::object({{"embedding", row_value(view, 0)}, {"truncated", result.truncated.at(0)}});
  Value::Array rows;
  for (std::int64_t i = 0; i < view.rows(); ++i) rows.push_back(row_value(view, i));
  return Value::object({{"embeddings", Value::array(std::move(rows))}});
}

class EmbedCall final : public TaskHandler {
 public:
  explicit EmbedCall(CallServices services) : services_(services), schema_(embedded_schema(kSchema)) {}
  std::string_view kind() const override { return "embed"; }
  const Value& options_schema() const override { return schema_; }

  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override {
    if (services_.models == nullptr) co_return not_connected("embed", "models");
    EmbedRequest request;
    const Value input = with.get("input");
    if (input.is_string()) {
      request.texts.push_back(input.as_string());
    } else {
      for (const Value& text : input.as_array()) request.texts.push_back(text.as_string());
    }
    if (request.texts.empty()) co_return TaskOutcome{Value::object({{"embeddings", Value::array()}}), Value()};
    if (const Value* type = with.find("inputType")) request.input_type = type->as_string();
    auto model = co_await services_.models->acquire(with.get("model").as_string(), request_context(context));
    if (!model) co_return forward_error(model);
    auto result = co_await model->embed(std::move(request), request_context(context));
    if (!result) co_return forward_error(result);
    co_return TaskOutcome{output_value(*result, input.is_string()), usage_value(result->usage)};
  }

 private:
  CallServices services_;
  Value schema_;
};

}  // namespace

std::shared_ptr<TaskHandler> make_embed_call(CallServices services) {
  return std::make_shared<EmbedCall>(services);
}

}  // namespace consort
