// Requests and results about bytes on the wire.
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "models/alphabet/byte_vocabulary.h"
#include "scheduler/host/wire.h"
#include "scheduler/host/wire_parts.h"
#include "scheduler/host/wire_reader.h"

namespace consort {
namespace {

using Presence = WireReader::Presence;

Value cover_value(const CoverOptions& c) {
  return Value::object({{"prune", wire_number(c.prune)},
                        {"max_states", c.max_states},
                        {"canonical", c.canonical},
                        {"temperature", wire_number(c.temperature)}});
}

Result<CoverOptions> read_cover(const Value* v) {
  CoverOptions out;
  if (v == nullptr) return out;
  WireReader reader(*v, "cover options");
  reader.read("prune", out.prune, Presence::kOptional);
  reader.read("max_states", out.max_states, Presence::kOptional);
  reader.read("canonical", out.canonical, Presence::kOptional);
  reader.read("temperature", out.temperature, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  return out;
}

template <typename T>
TensorLease lease(std::string name, std::vector<T> values, DType dtype) {
  auto kept = std::make_shared<std::vector<T>>(std::move(values));
  const auto n = static_cast<std::int64_t>(kept->size());
  return {std::move(name), make_view(kept->data(), dtype, {n}), kept};
}

template <typename T>
Status take(const std::vector<TensorLease>& tensors, std::string_view name, DType dtype, std::vector<T>& out,
            std::int64_t size = -1) {
  CONSORT_TRY(t, take_tensor(tensors, name, dtype, {size}));
  const T* values = t.view.template as<const T>();
  out.assign(values, values + t.view.dims[0]);
  return {};
}

}  // namespace

Value to_wire(const ScoreBytesRequest& r) {
  Value::Object out;
  if (r.prompt) out.emplace_back("prompt", wire_prompt(*r.prompt));
  out.emplace_back("text", wire_text(r.text));
  out.emplace_back("context", r.context);
  out.emplace_back("covers", r.covers);
  if (r.doubt) out.emplace_back("doubt", true);
  out.emplace_back("cover", cover_value(r.cover));
  return Value::object(std::move(out));
}

Result<ScoreBytesRequest> read_score_bytes_request(const Value& v) {
  ScoreBytesRequest out;
  WireReader reader(v, "score_bytes request");
  const Value* prompt = reader.take("prompt", Value::Type::kObject, Presence::kOptional);
  const Value* cover = reader.take("cover", Value::Type::kObject, Presence::kOptional);
  reader.read("text", out.text);
  reader.read("context", out.context, Presence::kOptional);
  reader.read("covers", out.covers, Presence::kOptional);
  reader.read("doubt", out.doubt, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  if (prompt != nullptr) {
    CONSORT_TRY(read, read_wire_prompt(*prompt));
    out.prompt = std::move(read);
  }
  CONSORT_TRY(options, read_cover(cover));
  out.cover = options;
  return out;
}

Value to_wire(const OpenBytesRequest& r) {
  return Value::object({{"prompt", wire_prompt(r.prompt)},
                        {"max_bytes", r.max_bytes},
                        {"max_strands", r.max_strands},
                        {"heal", r.heal},
                        {"rewind", r.rewind},
                        {"cover", cover_value(r.cover)}});
}

Result<OpenBytesRequest> read_open_bytes_request(const Value& v) {
  OpenBytesRequest out;
  WireReader reader(v, "open_bytes request");
  const Value* prompt = reader.take("prompt", Value::Type::kObject);
  const Value* cover = reader.take("cover", Value::Type::kObject, Presence::kOptional);
  reader.read("max_bytes", out.max_bytes, Presence::kOptional);
  reader.read("max_strands", out.max_strands, Presence::kOptional);
  reader.read("heal", out.heal, Presence::kOptional);
  reader.read("rewind", out.rewind, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  CONSORT_TRY(read, read_wire_prompt(*prompt));
  out.prompt = std::move(read);
  CONSORT_TRY(options, read_cover(cover));
  out.cover = options;
  return out;
}

Value to_wire(const NextBytesRequest& r) {
  Value::Array steps;
  for (const StrandStep& step : r.steps)
    steps.push_back(
        Value::object({{"from", step.from}, {"bytes", wire_text(step.bytes)}, {"back", step.back}}));
  return Value::object({{"session", wire_text(r.session)},
                        {"steps", Value::array(std::move(steps))},
                        {"close", r.close},
                        {"path", r.path}});
}

Result<NextBytesRequest> read_next_bytes_request(const Value& v) {
  NextBytesRequest out;
  WireReader reader(v, "next_bytes request");
  reader.read("session", out.session);
  const Value* steps = reader.take("steps", Value::Type::kArray, Presence::kOptional);
  reader.read("close", out.close, Presence::kOptional);
  reader.read("path", out.path, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  if (steps == nullptr) return out;
  for (const Value& entry : steps->as_array()) {
    StrandStep step;
    WireReader one(entry, "next_bytes step");
    one.read("from", step.from);
    one.read("bytes", step.bytes);
    one.read("back", step.back, Presence::kOptional);
    CONSORT_CHECK_OK(one.finish());
    out.steps.push_back(std::move(step));
  }
  return out;
}

Value to_wire(const ScoreBytesResult& r, std::vector<TensorLease>& tensors) {
  tensors.push_back(lease("token_ends", r.token_ends, DType::kI64));
  tensors.push_back(lease("token_logprobs", r.token_logprobs, DType::kF64));
  tensors.push_back(lease("byte_logprobs", r.byte_logprobs, DType::kF64));
  tensors.push_back(lease("kept", r.kept, DType::kF64));
  tensors.push_back(lease("entropies", r.entropies, DType::kF64));
  tensors.push_back(lease("firsts", r.firsts, DType::kF64));
  tensors.push_back(lease("seconds", r.seconds, DType::kF64));
  tensors.push_back(lease("guesses", r.guesses, DType::kI64));
  return Value::object(
      {{"log_mass", wire_number(r.log_mass)}, {"forks", r.forks}, {"usage", wire_usage(r.usage)}});
}

Result<ScoreBytesResult> read_score_bytes_result(const Value& v, const std::vector<TensorLease>& tensors) {
  ScoreBytesResult out;
  WireReader reader(v, "score_bytes result");
  reader.read("log_mass", out.log_mass);
  reader.read("forks", out.forks);
  const Value* used = reader.take("usage", Value::Type::kObject);
  CONSORT_CHECK_OK(reader.finish());
  CONSORT_TRY(usage, read_usage(used));
  out.usage = usage;
  CONSORT_CHECK_OK(take(tensors, "token_ends", DType::kI64, out.token_ends));
  const auto tokens = static_cast<std::int64_t>(out.token_ends.size());
  CONSORT_CHECK_OK(take(tensors, "token_logprobs", DType::kF64, out.token_logprobs, tokens));
  CONSORT_CHECK_OK(take(tensors, "byte_logprobs", DType::kF64, out.byte_logprobs));
  const auto bytes = static_cast<std::int64_t>(out.byte_logprobs.size());
  CONSORT_CHECK_OK(take(tensors, "kept", DType::kF64, out.kept, bytes));
  CONSORT_CHECK_OK(take(tensors, "entropies", DType::kF64, out.entropies));
  const auto doubts = static_cast<std::int64_t>(out.entropies.size());
  if (doubts != 0 && doubts != tokens)
    return fail(ErrorKind::kInvalid, "a score_bytes result with doubt about another number of tokens");
  CONSORT_CHECK_OK(take(tensors, "firsts", DType::kF64, out.firsts, doubts));
  CONSORT_CHECK_OK(take(tensors, "seconds", DType::kF64, out.seconds, doubts));
  CONSORT_CHECK_OK(take(tensors, "guesses", DType::kI64, out.guesses, doubts));
  return out;
}

Value to_wire(const NextBytesResult& r, std::vector<TensorLease>& tensors) {
  tensors.push_back(lease("distributions", r.distributions, DType::kF64));
  tensors.push_back(lease("logprobs", r.logprobs_nats, DType::kF64));
  tensors.push_back(lease("kept", r.kept, DType::kF64));
  tensors.push_back(lease("path", r.path, DType::kF64));
  return Value::object({{"session", wire_text(r.session)},
                        {"states", r.states},
                        {"forwards", r.forwards},
                        {"passes", r.passes},
                        {"healed", r.healed},
                        {"full", r.full},
                        {"usage", wire_usage(r.usage)}});
}

Result<NextBytesResult> read_next_bytes_result(const Value& v, const std::vector<TensorLease>& tensors) {
  NextBytesResult out;
  WireReader reader(v, "next_bytes result");
  reader.read("session", out.session);
  reader.read("states", out.states);
  reader.read("forwards", out.forwards);
  reader.read("passes", out.passes);
  reader.read("healed", out.healed);
  reader.read("full", out.full);
  const Value* used = reader.take("usage", Value::Type::kObject);
  CONSORT_CHECK_OK(reader.finish());
  CONSORT_TRY(usage, read_usage(used));
  out.usage = usage;
  CONSORT_CHECK_OK(take(tensors, "logprobs", DType::kF64, out.logprobs_nats));
  const auto strands = static_cast<std::int64_t>(out.logprobs_nats.size());
  CONSORT_CHECK_OK(take(tensors, "kept", DType::kF64, out.kept, strands));
  CONSORT_CHECK_OK(take(tensors, "distributions", DType::kF64, out.distributions, strands * kByteSymbols));
  CONSORT_CHECK_OK(take(tensors, "path", DType::kF64, out.path));
  if (out.path.size() % kByteSymbols != 0)
    return fail(ErrorKind::kInvalid, "a next_bytes result with a path of broken rows");
  return out;
}

}  // namespace consort
