// call: classify. What an item is: by a classifier's own labels, or zero-shot by labels given.
#include "agents/calls/model_call.h"

namespace consort {
namespace {

constexpr std::string_view kSchema =
#include "agents/calls/classify/schema.json.inc"
    ;

Value decision_value(const Decision& decision) {
  Value::Object out{{"labels", label_values(decision.labels)}, {"raw", label_values(decision.raw)}};
  if (!decision.reason.empty()) out.emplace_back("reason", decision.reason);
  return Value::object(std::move(out));
}

class ClassifyCall final : public CallHandler {
 public:
  explicit ClassifyCall(CallServices services) : CallHandler(services, "classify", kSchema) {}

  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override {
    auto inputs = read_model_inputs(with.get("input"), services_.blobs);
    if (!inputs) co_return forward_error(inputs);
    if (inputs->items.empty()) co_return TaskOutcome{Value::object({{"items", Value::array()}}), Value()};
    ClassifyRequest request;
    request.inputs = std::move(inputs->items);
    if (const Value* top = with.find("topK")) request.top = static_cast<int>(top->as_integer());
    if (const Value* prompt = with.find("prompt")) request.prompt = prompt->as_string();
    if (const Value* labels = with.find("labels"))
      for (const Value& label : labels->as_array()) request.labels.push_back(label.as_string());
    auto asked = ask_model(services_.models, with.get("model").as_string(), &ModelHandle::classify,
                           std::move(request), request_context(context));
    auto result = co_await std::move(asked);
    if (!result) co_return forward_error(result);
    if (auto good = first_error(*result, inputs->single); !good) co_return forward_error(good);
    Value::Array items;
    for (const Decision& decision : result->decisions) items.push_back(decision_value(decision));
    Value output =
        inputs->single ? items.front() : Value::object({{"items", Value::array(std::move(items))}});
    co_return TaskOutcome{std::move(output), usage_value(result->usage)};
  }
};

}  // namespace

std::shared_ptr<TaskHandler> make_classify_call(CallServices services) {
  return std::make_shared<ClassifyCall>(services);
}

}  // namespace consort
