#include <fmt/format.h>

#include <utility>

#include "scheduler/host/wire.h"
#include "scheduler/host/wire_parts.h"
#include "scheduler/host/wire_reader.h"

namespace consort {
namespace {

using Presence = WireReader::Presence;

constexpr std::pair<std::string_view, WorkClass> kClasses[] = {{"interactive", WorkClass::kInteractive},
                                                               {"batch", WorkClass::kBatch},
                                                               {"training", WorkClass::kTraining}};

std::string_view class_name(WorkClass c) {
  for (const auto& [name, value] : kClasses)
    if (value == c) return name;
  return "interactive";
}

}  // namespace

Value wire_prompt(const Prompt& p) {
  Value::Object out;
  if (!p.messages.empty()) {
    Value::Array messages;
    for (const auto& m : p.messages)
      messages.push_back(Value::object({{"role", wire_text(m.role)}, {"content", wire_text(m.content)}}));
    out.emplace_back("messages", Value::array(std::move(messages)));
    out.emplace_back("plain_template", p.plain_template);
  }
  if (p.text) {
    out.emplace_back("text", wire_text(*p.text));
    out.emplace_back("parse_special", p.parse_special);
  }
  if (!p.token_ids.empty()) out.emplace_back("token_ids", wire_tokens(p.token_ids));
  return Value::object(std::move(out));
}

namespace {

Status read_messages(const Value& list, std::vector<ChatMessage>& out) {
  for (const Value& item : list.as_array()) {
    ChatMessage message;
    WireReader reader(item, fmt::format("message {}", out.size()));
    reader.read("role", message.role);
    reader.read("content", message.content);
    CONSORT_CHECK_OK(reader.finish());
    out.push_back(std::move(message));
  }
  return {};
}

}  // namespace

Result<Prompt> read_wire_prompt(const Value& v) {
  Prompt out;
  WireReader reader(v, "prompt");
  const Value* messages = reader.take("messages", Value::Type::kArray, Presence::kOptional);
  if (messages != nullptr) CONSORT_CHECK_OK(read_messages(*messages, out.messages));
  reader.read("plain_template", out.plain_template, Presence::kOptional);
  if (v.find("text") != nullptr)
    reader.read("text", out.text.emplace());
  else
    (void)reader.take_any("text");
  reader.read("parse_special", out.parse_special, Presence::kOptional);
  reader.read("token_ids", out.token_ids, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  const int given = (out.messages.empty() ? 0 : 1) + (out.text ? 1 : 0) + (out.token_ids.empty() ? 0 : 1);
  if (given != 1)
    return fail(ErrorKind::kInvalid, "a prompt is exactly one of messages, text or token_ids, and not empty");
  return out;
}

namespace {

Value sampling_value(const SamplingOptions& s) {
  Value::Array bias;
  for (const auto& [id, value] : s.logit_bias)
    bias.push_back(
        Value::array({Value(static_cast<std::int64_t>(id)), wire_number(static_cast<double>(value))}));
  return Value::object({{"temperature", wire_number(s.temperature)},
                        {"top_k", s.top_k},
                        {"top_p", wire_number(s.top_p)},
                        {"min_p", wire_number(s.min_p)},
                        {"repetition_penalty", wire_number(s.repetition_penalty)},
                        {"presence_penalty", wire_number(s.presence_penalty)},
                        {"frequency_penalty", wire_number(s.frequency_penalty)},
                        {"logit_bias", Value::array(std::move(bias))},
                        {"seed", static_cast<std::int64_t>(s.seed)}});
}

Result<SamplingOptions> read_sampling(const Value& v) {
  SamplingOptions out;
  WireReader reader(v, "sampling options");
  reader.read("temperature", out.temperature, Presence::kOptional);
  reader.read("top_k", out.top_k, Presence::kOptional);
  reader.read("top_p", out.top_p, Presence::kOptional);
  reader.read("min_p", out.min_p, Presence::kOptional);
  reader.read("repetition_penalty", out.repetition_penalty, Presence::kOptional);
  reader.read("presence_penalty", out.presence_penalty, Presence::kOptional);
  reader.read("frequency_penalty", out.frequency_penalty, Presence::kOptional);
  reader.read("seed", out.seed, Presence::kOptional);
  const Value* bias = reader.take("logit_bias", Value::Type::kArray, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  if (bias == nullptr) return out;
  for (const Value& pair : bias->as_array()) {
    const bool good = pair.is_array() && pair.size() == 2 && pair.as_array()[0].is_integer() &&
                      pair.as_array()[0].as_integer() >= 0 && pair.as_array()[0].as_integer() <= INT32_MAX &&
                      pair.as_array()[1].is_number();
    if (!good)
      return fail(ErrorKind::kInvalid, "'logit_bias' is not a list of [token id, number]",
                  "sampling options");
    out.logit_bias.emplace_back(static_cast<TokenId>(pair.as_array()[0].as_integer()),
                                static_cast<float>(pair.as_array()[1].as_number()));
  }
  return out;
}

}  // namespace

void append_generation(Value::Object& out, const GenerationOptions& options) {
  out.emplace_back("max_tokens", options.max_tokens);
  out.emplace_back("stop", wire_texts(options.stop));
  out.emplace_back("ignore_eos", options.ignore_eos);
  out.emplace_back("sampling", sampling_value(options.sampling));
  out.emplace_back("bypass_prefix_cache", options.bypass_prefix_cache);
  out.emplace_back("keep_partial", options.keep_partial);
  out.emplace_back("logprobs", options.logprobs);
}

Status read_generation_options(WireReader& reader, Presence sampling, GenerationOptions& out) {
  const Value* drawing = reader.take("sampling", Value::Type::kObject, sampling);
  reader.read("max_tokens", out.max_tokens, Presence::kOptional);
  reader.read("stop", out.stop, Presence::kOptional);
  reader.read("ignore_eos", out.ignore_eos, Presence::kOptional);
  reader.read("bypass_prefix_cache", out.bypass_prefix_cache, Presence::kOptional);
  reader.read("keep_partial", out.keep_partial, Presence::kOptional);
  reader.read("logprobs", out.logprobs, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  if (drawing == nullptr) return {};
  CONSORT_TRY(options, read_sampling(*drawing));
  out.sampling = std::move(options);
  return {};
}

Value wire_request(std::string_view op, Value request, WorkClass work_class) {
  return Value::object({{"op", op}, {"class", class_name(work_class)}, {"request", std::move(request)}});
}

Result<WireRequest> read_wire_request(const Value& body) {
  WireRequest out;
  std::string name = "interactive";
  WireReader reader(body, "request");
  reader.read("op", out.op);
  reader.read("class", name, Presence::kOptional);
  if (const Value* request = reader.take_any("request")) out.request = *request;
  CONSORT_CHECK_OK(reader.finish());
  for (const auto& [known, value] : kClasses) {
    if (known != name) continue;
    out.work_class = value;
    return out;
  }
  return fail(ErrorKind::kInvalid, "'class' is not interactive, batch or training", "request");
}

Value to_wire(const GenerateRequest& r) {
  Value::Object out{{"prompt", wire_prompt(r.prompt)}};
  append_generation(out, r);
  return Value::object(std::move(out));
}

Result<GenerateRequest> read_generate_request(const Value& v) {
  GenerateRequest out;
  WireReader reader(v, "generate request");
  const Value* prompt = reader.take("prompt", Value::Type::kObject);
  CONSORT_CHECK_OK(read_generation_options(reader, Presence::kOptional, out));
  CONSORT_TRY(read, read_wire_prompt(*prompt));
  out.prompt = std::move(read);
  return out;
}

Value to_wire(const ScoreRequest& r) {
  return Value::object({{"prompt", wire_prompt(r.prompt)},
                        {"candidates", wire_texts(r.candidates)},
                        {"joint", r.joint},
                        {"bypass_prefix_cache", r.bypass_prefix_cache}});
}

Result<ScoreRequest> read_score_request(const Value& v) {
  ScoreRequest out;
  WireReader reader(v, "score request");
  const Value* prompt = reader.take("prompt", Value::Type::kObject);
  reader.read("candidates", out.candidates);
  reader.read("joint", out.joint, Presence::kOptional);
  reader.read("bypass_prefix_cache", out.bypass_prefix_cache, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  CONSORT_TRY(read, read_wire_prompt(*prompt));
  out.prompt = std::move(read);
  return out;
}

Value to_wire(const ScoreTextRequest& r) {
  return Value::object({{"text", wire_text(r.text)}, {"context", r.context}});
}

Result<ScoreTextRequest> read_score_text_request(const Value& v) {
  ScoreTextRequest out;
  WireReader reader(v, "score_text request");
  reader.read("text", out.text);
  reader.read("context", out.context, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  return out;
}

Value to_wire(const LogitsRequest& r) {
  return Value::object({{"token_ids", wire_tokens(r.token_ids)}, {"top", r.top}});
}

Result<LogitsRequest> read_logits_request(const Value& v) {
  LogitsRequest out;
  WireReader reader(v, "logits request");
  reader.read("token_ids", out.token_ids);
  reader.read("top", out.top, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  return out;
}

}  // namespace consort
