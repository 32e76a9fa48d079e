#include "agents/calls/options.h"

#include <cstdlib>
#include <stdexcept>

#include "memory/base/text.h"

namespace consort {

Value embedded_schema(std::string_view text) {
  auto schema = parse_json(text, "embedded schema");
  if (!schema) throw std::logic_error(schema.error().line());
  return std::move(*schema);
}

Result<std::vector<ChatMessage>> read_chat_messages(const Value& list) {
  if (!list.is_array() || list.size() == 0)
    return fail(ErrorKind::kInvalid, "messages must be a list of {role, content} that is not empty",
                "messages");
  std::vector<ChatMessage> messages;
  for (const Value& m : list.as_array()) {
    const Value* role = m.find("role");
    const Value* content = m.find("content");
    if (role == nullptr || content == nullptr || !role->is_string() || !content->is_string())
      return fail(ErrorKind::kInvalid, "a message is {role, content}, both texts",
                  "messages/" + std::to_string(messages.size()));
    messages.push_back({role->as_string(), content->as_string()});
  }
  return messages;
}

Result<Prompt> read_prompt(const Value& with) {
  Prompt prompt;
  const Value* text = with.find("prompt");
  const Value* messages = with.find("messages");
  if ((text != nullptr) == (messages != nullptr))
    return fail(ErrorKind::kInvalid, "give exactly one of prompt and messages", "with");
  if (const Value* t = with.find("template"))
    prompt.plain_template = t->is_string() && t->as_string() == "plain";
  if (text != nullptr) {
    if (!text->is_string()) return fail(ErrorKind::kInvalid, "the prompt is not a text", "with/prompt");
    prompt.text = text->as_string();
    prompt.parse_special = false;  // values come from anywhere: nobody can inject a turn
    return prompt;
  }
  CONSORT_TRY(list, read_chat_messages(*messages));
  prompt.messages = std::move(list);
  return prompt;
}

namespace {

Status read_bias(const Value& bias, SamplingOptions& s) {
  for (const auto& [key, amount] : bias.as_object()) {
    char* end = nullptr;
    const long id = std::strtol(key.c_str(), &end, 10);
    if (key.empty() || *end != '\0' || id < 0 || id > 0x7fffffff || !amount.is_number())
      return fail(ErrorKind::kInvalid, "'" + key + "' is not a token id with a number", "with/logitBias");
    s.logit_bias.emplace_back(static_cast<TokenId>(id), static_cast<float>(amount.as_number()));
  }
  return {};
}

}  // namespace

Status read_generation(const Value& options, std::uint64_t task_seed, GenerateRequest& r) {
  SamplingOptions& s = r.sampling;
  s.seed = task_seed;
  const auto number = [&](const char* key, double& out) {
    if (const Value* v = options.find(key); v != nullptr && v->is_number()) out = v->as_number();
  };
  number("temperature", s.temperature);
  number("topP", s.top_p);
  number("minP", s.min_p);
  number("repetitionPenalty", s.repetition_penalty);
  number("presencePenalty", s.presence_penalty);
  number("frequencyPenalty", s.frequency_penalty);
  if (const Value* v = options.find("maxTokens"); v != nullptr && v->is_integer())
    r.max_tokens = static_cast<int>(v->as_integer());
  if (const Value* v = options.find("topK"); v != nullptr && v->is_integer())
    s.top_k = static_cast<int>(v->as_integer());
  if (const Value* v = options.find("seed"); v != nullptr && v->is_integer())
    s.seed = static_cast<std::uint64_t>(v->as_integer());
  if (const Value* v = options.find("ignoreEos"); v != nullptr && v->is_bool()) r.ignore_eos = v->as_bool();
  if (const Value* v = options.find("stop"); v != nullptr) {
    if (v->is_string()) r.stop.push_back(v->as_string());
    if (v->is_array())
      for (const Value& stop : v->as_array())
        if (stop.is_string()) r.stop.push_back(stop.as_string());
  }
  if (const Value* v = options.find("logitBias"); v != nullptr && v->is_object()) return read_bias(*v, s);
  return {};
}

RequestContext request_context(const TaskContext& context) {
  RequestContext r;
  r.run = context.run_id;
  r.task = context.task_pointer;
  r.deadline = context.deadline;
  r.stop = context.stop;
  return r;
}

Value usage_value(const Usage& u) {
  return Value::object({{"promptTokens", u.prompt_tokens},
                        {"cachedTokens", u.cached_tokens},
                        {"completionTokens", u.completion_tokens},
                        {"tokens", u.prompt_tokens + u.completion_tokens},
                        {"milliseconds", u.prefill_ms + u.decode_ms},
                        {"flop", u.flop},
                        {"bytes", u.bytes}});
}

std::string text_of(std::string_view bytes) {
  bool replaced = false;
  return to_utf8(bytes, replaced);
}

tl::unexpected<Error> not_connected(std::string_view kind, std::string_view what) {
  return fail(
      ErrorKind::kUnavailable,
      "call: " + std::string(kind) + " needs " + std::string(what) + ", which this process does not have", "",
      "run it with `consort run`");
}

}  // namespace consort
