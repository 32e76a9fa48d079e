// call: chat. One turn of an agent: instructions, its conversation so far, the letters in its mailbox and
// what the task tells it make the prompt; its answer joins the conversation and goes to other agents as a
// letter.
#include <mutex>

#include <fmt/format.h>

#include "agents/calls/agent.h"
#include "agents/calls/blocking.h"
#include "agents/calls/model_call.h"
#include "agents/calls/streaming.h"
#include "agents/mailbox/mailbox.h"
#include "scheduler/host/model_client.h"

namespace consort {
namespace {

constexpr std::string_view kSchema =
#include "agents/calls/chat/schema.json.inc"
    ;

std::vector<std::string> names_in(const Value& to) {
  std::vector<std::string> names;
  if (to.is_string()) names.push_back(to.as_string());
  if (to.is_array())
    for (const Value& name : to.as_array()) names.push_back(name.as_string());
  return names;
}

// What the agent is told in this turn: its letters as one message, then the task's own messages.
Result<std::vector<ChatMessage>> told(const Value& with, const std::vector<Letter>& letters,
                                      const std::string& agent) {
  std::vector<ChatMessage> list;
  std::string mail;
  for (const Letter& letter : letters)
    mail += (mail.empty() ? "" : "\n\n") + letter.from + ": " + letter.text;
  if (!mail.empty()) list.push_back({"user", mail});
  const Value* messages = with.find("messages");
  const Value* message = with.find("message");
  if (messages != nullptr && message != nullptr)
    return fail(ErrorKind::kInvalid, "give messages or message, not both", "with");
  if (message != nullptr) list.push_back({"user", message->as_string()});
  if (messages != nullptr && messages->size() > 0) {
    CONSORT_TRY(more, read_chat_messages(*messages));
    list.insert(list.end(), more.begin(), more.end());
  }
  if (list.empty())
    return fail(ErrorKind::kInvalid, "agent '" + agent + "' has nothing to answer: no letter and no message",
                "with", "give messages, or let another agent write to it first (`to`)");
  return list;
}

Result<GenerateRequest> turn_request(const AgentSpec& agent, const Value& with,
                                     const std::vector<ChatMessage>& before,
                                     const std::vector<ChatMessage>& now, std::uint64_t seed) {
  GenerateRequest request;
  request.logprobs = false;
  auto& messages = request.prompt.messages;
  if (!agent.instructions.empty()) messages.push_back({"system", agent.instructions});
  messages.insert(messages.end(), before.begin(), before.end());
  messages.insert(messages.end(), now.begin(), now.end());
  request.prompt.plain_template = agent.plain_template;
  const Value options = merged_options(agent.generation, with, generation_keys());
  CONSORT_CHECK_OK(read_generation(options, seed, request));
  return request;
}

class ChatCall final : public CallHandler {
 public:
  explicit ChatCall(CallServices services) : CallHandler(services, "chat", kSchema) {
    if (services.channel != nullptr)
      mailboxes_ = std::make_shared<Mailboxes>(*services.channel, services.store);
  }
  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override;

 private:
  using MailboxPtr = std::shared_ptr<Mailbox>;
  boost::asio::awaitable<Result<MailboxPtr>> mailbox(std::string run, std::string agent);
  boost::asio::awaitable<Status> post(std::string from, std::string to, std::string turn, std::string text,
                                      TaskContext& context);
  Result<std::shared_ptr<ModelClient>> client();

  std::shared_ptr<Mailboxes> mailboxes_;
  std::mutex mutex_;
  std::shared_ptr<ModelClient> client_;  // made at the first letter
};

boost::asio::awaitable<Result<ChatCall::MailboxPtr>> ChatCall::mailbox(std::string run, std::string agent) {
  auto work = [boxes = mailboxes_, run = std::move(run), agent = std::move(agent)] {
    return boxes->open(run, agent);
  };
  co_return co_await on_blocking_pool(std::move(work));
}

Result<std::shared_ptr<ModelClient>> ChatCall::client() {
  std::lock_guard lock(mutex_);
  if (client_ == nullptr) {
    CONSORT_TRY(made, ModelClient::create(*services_.channel));
    client_ = std::move(made);
  }
  return client_;
}

// Sends a letter over the bus and waits until the other mailbox says that it has it.
boost::asio::awaitable<Status> ChatCall::post(std::string from, std::string to, std::string turn,
                                              std::string text, TaskContext& context) {
  auto receiver = co_await mailbox(context.run_id, to);
  if (!receiver) co_return forward_error(receiver);
  auto sender = client();
  if (!sender) co_return forward_error(sender);
  Value body = Value::object({{"turn", turn}, {"from", from}, {"text", std::move(text)}});
  auto sent = (*sender)->call(agent_address(context.run_id, to), std::move(body), request_context(context));
  auto reply = co_await std::move(sent);
  if (!reply) co_return forward_error(reply);
  if (context.write && services_.store != nullptr)
    for (StoreWrite& write : (*receiver)->keep(from, turn)) context.write(std::move(write));
  co_return Status();
}

boost::asio::awaitable<Result<TaskOutcome>> ChatCall::run(TaskContext& context, Value with) {
  if (services_.models == nullptr || mailboxes_ == nullptr)
    co_return not_connected("chat", "models and a bus");
  auto agent = find_agent(context.agents, with.get("agent").as_string());
  if (!agent) co_return forward_error(agent);
  const std::vector<std::string> to = names_in(with.get("to"));
  for (const std::string& name : to)
    if (auto known = find_agent(context.agents, name); !known) co_return forward_error(known);
  auto box = co_await mailbox(context.run_id, agent->name);
  if (!box) co_return forward_error(box);
  // The seed is the task's own in this run, whatever the attempt: it names the turn.
  const std::string turn = fmt::format("{}#{:016x}", context.task_pointer, context.seed);
  const std::vector<Letter> letters = (*box)->waiting(turn);
  auto now = told(with, letters, agent->name);
  if (!now) co_return forward_error(now);
  auto request = turn_request(*agent, with, (*box)->conversation(turn), *now, context.seed);
  if (!request) co_return forward_error(request);
  auto model = co_await services_.models->acquire(agent->model, request_context(context));
  if (!model) co_return forward_error(model);
  TextSink sink = token_events(context);
  auto result = co_await model->generate(std::move(*request), request_context(context), std::move(sink));
  if (!result) co_return forward_error(result);
  if (result->finish_reason == "cancelled")
    co_return fail(ErrorKind::kCancelled, "the turn was cancelled", context.task_pointer);
  const std::string text = text_of(result->text);
  for (const std::string& name : to) {
    auto posted = co_await post(agent->name, name, turn, text, context);
    if (!posted) co_return forward_error(posted);
  }
  now->push_back({"assistant", text});
  auto writes = (*box)->finish(turn, std::move(*now), letters);
  if (context.write && services_.store != nullptr)
    for (StoreWrite& write : writes) context.write(std::move(write));
  Value usage = usage_value(result->usage);
  Value output = Value::object(
      {{"text", text}, {"agent", agent->name}, {"finishReason", result->finish_reason}, {"usage", usage}});
  co_return TaskOutcome{std::move(output), std::move(usage)};
}

}  // namespace

std::shared_ptr<TaskHandler> make_chat_call(CallServices services) {
  return std::make_shared<ChatCall>(services);
}

}  // namespace consort
