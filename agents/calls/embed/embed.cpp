// call: embed. Embeddings of one item or a list of items.
#include "agents/calls/model_call.h"

namespace consort {
namespace {

constexpr std::string_view kSchema =
#include "agents/calls/embed/schema.json.inc"
    ;

Value part_rows(const EmbedResult& result, std::size_t item) {
  const TensorView rows = result.item(item);
  Value::Array out;
  for (std::int64_t i = 0; i < rows.rows(); ++i) out.push_back(row_value(rows, i));
  return Value::array(std::move(out));
}

Value output_value(const EmbedResult& result, bool single) {
  const bool parts = result.level == EmbeddingLevel::kPart;
  if (single)
    return Value::object({parts ? Value::Member{"embeddings", part_rows(result, 0)}
                                : Value::Member{"embedding", row_value(result.item(0), 0)},
                          {"tokens", result.tokens[0]},
                          {"truncated", result.truncated[0]}});
  Value::Array rows;
  for (std::size_t i = 0; i < result.items(); ++i)
    rows.push_back(parts ? Value::object({{"embeddings", part_rows(result, i)}})
                         : row_value(result.item(i), 0));
  return Value::object({{parts ? "items" : "embeddings", Value::array(std::move(rows))}});
}

class EmbedCall final : public CallHandler {
 public:
  explicit EmbedCall(CallServices services) : CallHandler(services, "embed", kSchema) {}

  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override {
    auto inputs = read_model_inputs(with.get("input"), services_.blobs);
    if (!inputs) co_return forward_error(inputs);
    if (inputs->items.empty())
      co_return TaskOutcome{Value::object({{"embeddings", Value::array()}}), Value()};
    EmbedRequest request;
    request.inputs = std::move(inputs->items);
    if (const Value* type = with.find("inputType")) request.input_type = type->as_string();
    if (const Value* level = with.find("level"))
      request.level = level->as_string() == "part" ? EmbeddingLevel::kPart : EmbeddingLevel::kItem;
    auto asked = ask_model(services_.models, with.get("model").as_string(), &ModelHandle::embed,
                           std::move(request), request_context(context));
    auto result = co_await std::move(asked);
    if (!result) co_return forward_error(result);
    if (auto good = first_error(*result, inputs->single); !good) co_return forward_error(good);
    co_return TaskOutcome{output_value(*result, inputs->single), usage_value(result->usage)};
  }
};

}  // namespace

std::shared_ptr<TaskHandler> make_embed_call(CallServices services) {
  return std::make_shared<EmbedCall>(services);
}

}  // namespace consort
