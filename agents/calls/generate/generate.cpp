// call: generate. Text from one model.
#include "agents/calls/model_call.h"
#include "agents/calls/streaming.h"

namespace consort {
namespace {

constexpr std::string_view kSchema =
#include "agents/calls/generate/schema.json.inc"
    ;

class GenerateCall final : public CallHandler {
 public:
  explicit GenerateCall(CallServices services) : CallHandler(services, "generate", kSchema) {}

  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override {
    if (services_.models == nullptr) co_return not_connected("generate", "models");
    GenerateRequest request;
    auto prompt = read_prompt(with);
    if (!prompt) co_return forward_error(prompt);
    request.prompt = std::move(*prompt);
    request.logprobs = false;
    if (auto read = read_generation(with, context.seed, request); !read) co_return forward_error(read);
    auto model = co_await services_.models->acquire(with.get("model").as_string(), request_context(context));
    if (!model) co_return forward_error(model);
    TextSink sink = token_events(context);
    auto result = co_await model->generate(std::move(request), request_context(context), std::move(sink));
    if (!result) co_return forward_error(result);
    if (result->finish_reason == "cancelled")
      co_return fail(ErrorKind::kCancelled, "the generation was cancelled", context.task_pointer);
    Value usage = usage_value(result->usage);
    Value output = Value::object(
        {{"text", text_of(result->text)}, {"finishReason", result->finish_reason}, {"usage", usage}});
    co_return TaskOutcome{std::move(output), std::move(usage)};
  }
};

}  // namespace

std::shared_ptr<TaskHandler> make_generate_call(CallServices services) {
  return std::make_shared<GenerateCall>(services);
}

}  // namespace consort
