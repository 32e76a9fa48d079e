#include <fmt/format.h>

#include <utility>

#include "scheduler/host/wire.h"
#include "scheduler/host/wire_parts.h"
#include "scheduler/host/wire_reader.h"

namespace consort {
Value wire_usage(const Usage& u) {
  return Value::object({{"prompt_tokens", u.prompt_tokens},
                        {"cached_tokens", u.cached_tokens},
                        {"completion_tokens", u.completion_tokens},
                        {"queue_ms", wire_number(u.queue_ms)},
                        {"prefill_ms", wire_number(u.prefill_ms)},
                        {"decode_ms", wire_number(u.decode_ms)},
                        {"flop", wire_number(u.flop)},
                        {"bytes", wire_number(u.bytes)}});
}

Result<Usage> read_usage(const Value* v) {
  Usage u;
  if (v == nullptr) return u;
  WireReader reader(*v, "usage");
  reader.read("prompt_tokens", u.prompt_tokens);
  reader.read("cached_tokens", u.cached_tokens);
  reader.read("completion_tokens", u.completion_tokens);
  reader.read("queue_ms", u.queue_ms);
  reader.read("prefill_ms", u.prefill_ms);
  reader.read("decode_ms", u.decode_ms);
  reader.read("flop", u.flop);
  reader.read("bytes", u.bytes);
  CONSORT_CHECK_OK(reader.finish());
  return u;
}

// A tensor of the answer, checked against what it must be; -1 matches any size.
Result<TensorLease> take_tensor(const std::vector<TensorLease>& tensors, std::string_view name, DType dtype,
                                std::initializer_list<std::int64_t> dims) {
  for (const TensorLease& t : tensors) {
    if (t.name != name) continue;
    bool fits = t.view.dtype == dtype && t.view.rank == static_cast<int>(dims.size()) && t.view.contiguous();
    for (std::size_t i = 0; fits && i < dims.size(); ++i) {
      const std::int64_t want = dims.begin()[i];
      fits = t.view.dims[i] >= 0 && (want < 0 || t.view.dims[i] == want);
    }
    if (!fits || (t.view.data == nullptr && t.view.elements() > 0))
      return fail(ErrorKind::kInvalid, fmt::format("tensor '{}' does not fit: {}", name, describe(t.view)));
    return t;
  }
  return fail(ErrorKind::kInvalid, fmt::format("tensor '{}' is missing in the answer", name));
}

namespace {

using Presence = WireReader::Presence;

Result<std::size_t> read_size(std::int64_t n, std::string_view what) {
  if (n < 0) return fail(ErrorKind::kInvalid, fmt::format("'{}' is negative", what));
  return static_cast<std::size_t>(n);
}

}  // namespace

Value to_wire(const GenerateResult& r, std::vector<TensorLease>&) {
  return Value::object({{"text", wire_text(r.text)},
                        {"token_ids", wire_tokens(r.token_ids)},
                        {"finish_reason", wire_text(r.finish_reason)},
                        {"logprob_nats", wire_number(r.logprob_nats)},
                        {"usage", wire_usage(r.usage)}});
}

Result<GenerateResult> read_generate_result(const Value& v, const std::vector<TensorLease>&) {
  GenerateResult out;
  WireReader reader(v, "generate result");
  reader.read("text", out.text);
  reader.read("token_ids", out.token_ids);
  reader.read("finish_reason", out.finish_reason);
  reader.read("logprob_nats", out.logprob_nats);
  const Value* usage = reader.take("usage", Value::Type::kObject);
  CONSORT_CHECK_OK(reader.finish());
  CONSORT_TRY(u, read_usage(usage));
  out.usage = u;
  return out;
}

Value to_wire(const ScoreResult& r, std::vector<TensorLease>&) {
  Value::Array candidates;
  for (const auto& c : r.candidates)
    candidates.push_back(Value::object({{"logprob_nats", wire_number(c.logprob_nats)},
                                        {"tokens", c.tokens},
                                        {"bytes", static_cast<std::int64_t>(c.bytes)}}));
  return Value::object({{"candidates", Value::array(std::move(candidates))}, {"usage", wire_usage(r.usage)}});
}

Result<ScoreResult> read_score_result(const Value& v, const std::vector<TensorLease>&) {
  ScoreResult out;
  WireReader reader(v, "score result");
  const Value* candidates = reader.take("candidates", Value::Type::kArray);
  const Value* usage = reader.take("usage", Value::Type::kObject);
  CONSORT_CHECK_OK(reader.finish());
  for (const Value& item : candidates->as_array()) {
    ScoredText text;
    std::int64_t bytes = 0;
    WireReader one(item, "scored candidate");
    one.read("logprob_nats", text.logprob_nats);
    one.read("tokens", text.tokens);
    one.read("bytes", bytes);
    CONSORT_CHECK_OK(one.finish());
    CONSORT_TRY(size, read_size(bytes, "bytes"));
    text.bytes = size;
    out.candidates.push_back(text);
  }
  CONSORT_TRY(u, read_usage(usage));
  out.usage = u;
  return out;
}

Value to_wire(const ScoreTextResult& r, std::vector<TensorLease>&) {
  return Value::object({{"tokens", r.tokens},
                        {"scored_tokens", r.scored_tokens},
                        {"nll_nats", wire_number(r.nll_nats)},
                        {"bytes", static_cast<std::int64_t>(r.bytes)},
                        {"file_bytes", static_cast<std::int64_t>(r.file_bytes)},
                        {"usage", wire_usage(r.usage)}});
}

Result<ScoreTextResult> read_score_text_result(const Value& v, const std::vector<TensorLease>&) {
  ScoreTextResult out;
  std::int64_t bytes = 0, file_bytes = 0;
  WireReader reader(v, "score_text result");
  reader.read("tokens", out.tokens);
  reader.read("scored_tokens", out.scored_tokens);
  reader.read("nll_nats", out.nll_nats);
  reader.read("bytes", bytes);
  reader.read("file_bytes", file_bytes);
  const Value* usage = reader.take("usage", Value::Type::kObject);
  CONSORT_CHECK_OK(reader.finish());
  CONSORT_TRY(scored, read_size(bytes, "bytes"));
  CONSORT_TRY(whole, read_size(file_bytes, "file_bytes"));
  CONSORT_TRY(u, read_usage(usage));
  out.bytes = scored;
  out.file_bytes = whole;
  out.usage = u;
  return out;
}

Value to_wire(const LogitsResult& r, std::vector<TensorLease>& tensors) {
  for (const TensorLease* t : {&r.top_ids, &r.top_logits, &r.logsumexp, &r.last}) tensors.push_back(*t);
  return Value::object({{"tokens", r.logsumexp.view.elements()}});
}

Result<LogitsResult> read_logits_result(const Value& v, const std::vector<TensorLease>& tensors) {
  std::int64_t n = 0;
  WireReader reader(v, "logits result");
  reader.read("tokens", n);
  CONSORT_CHECK_OK(reader.finish());
  if (n < 1) return fail(ErrorKind::kInvalid, "'tokens' is not positive", "logits result");
  LogitsResult out;
  CONSORT_TRY(ids, take_tensor(tensors, "top_ids", DType::kI32, {n, -1}));
  CONSORT_TRY(logits, take_tensor(tensors, "top_logits", DType::kF32, {n, ids.view.dims[1]}));
  CONSORT_TRY(sums, take_tensor(tensors, "logsumexp", DType::kF32, {n}));
  CONSORT_TRY(last, take_tensor(tensors, "last", DType::kF32, {-1}));
  out.top_ids = std::move(ids);
  out.top_logits = std::move(logits);
  out.logsumexp = std::move(sums);
  out.last = std::move(last);
  return out;
}

Value to_wire(const Error& e) {
  return Value::object({{"kind", error_kind_name(e.kind)},
                        {"what", wire_text(e.what)},
                        {"where", wire_text(e.where)},
                        {"hint", wire_text(e.hint)}});
}

Error read_error(const Value& v) {
  Error out;
  std::string kind;
  WireReader reader(v, "error");
  reader.read("kind", kind);
  reader.read("what", out.what);
  reader.read("where", out.where, Presence::kOptional);
  reader.read("hint", out.hint, Presence::kOptional);
  if (Status ok = reader.finish(); !ok)
    return {ErrorKind::kRuntime, "the model's host answered with an unreadable error: " + ok.error().what};
  for (int k = 0; k <= static_cast<int>(ErrorKind::kIo); ++k)
    if (error_kind_name(static_cast<ErrorKind>(k)) == kind) out.kind = static_cast<ErrorKind>(k);
  return out;
}

Value to_wire(const TextChunk& c) {
  return Value::object({{"text", wire_text(c.text)}, {"ids", wire_tokens(c.ids)}});
}

Result<TextChunk> read_text_chunk(const Value& v) {
  TextChunk out;
  WireReader reader(v, "chunk");
  reader.read("text", out.text);
  reader.read("ids", out.ids);
  CONSORT_CHECK_OK(reader.finish());
  return out;
}

}  // namespace consort
