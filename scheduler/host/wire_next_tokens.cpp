// Requests and results about what comes next on the wire.
#include <utility>

#include "scheduler/host/wire.h"
#include "scheduler/host/wire_parts.h"
#include "scheduler/host/wire_reader.h"

namespace consort {
namespace {

using Presence = WireReader::Presence;

Value numbers(const std::vector<double>& values) {
  Value::Array out;
  out.reserve(values.size());
  for (const double v : values) out.push_back(wire_number(v));
  return Value::array(std::move(out));
}

}  // namespace

Value to_wire(const NextTokensRequest& r) {
  return Value::object({{"prompt", wire_prompt(r.prompt)},
                        {"pieces", wire_texts(r.pieces)},
                        {"own_pieces", r.own_pieces},
                        {"top", r.top},
                        {"wanted", wire_texts(r.wanted)}});
}

Result<NextTokensRequest> read_next_tokens_request(const Value& v) {
  NextTokensRequest out;
  WireReader reader(v, "next_tokens request");
  const Value* prompt = reader.take("prompt", Value::Type::kObject);
  reader.read("pieces", out.pieces, Presence::kOptional);
  reader.read("own_pieces", out.own_pieces, Presence::kOptional);
  reader.read("top", out.top, Presence::kOptional);
  reader.read("wanted", out.wanted, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  CONSORT_TRY(read, read_wire_prompt(*prompt));
  out.prompt = std::move(read);
  return out;
}

Value to_wire(const NextTokensResult& r, std::vector<TensorLease>&) {
  std::vector<std::string> strings;
  std::vector<double> logprobs;
  for (const NextString& s : r.top) {
    strings.push_back(s.bytes);
    logprobs.push_back(s.logprob_nats);
  }
  return Value::object({{"strings", wire_texts(strings)},
                        {"logprobs", numbers(logprobs)},
                        {"wanted_logprobs", numbers(r.wanted_logprobs)},
                        {"full", r.full},
                        {"usage", wire_usage(r.usage)}});
}

Result<NextTokensResult> read_next_tokens_result(const Value& v, const std::vector<TensorLease>&) {
  NextTokensResult out;
  std::vector<std::string> strings;
  std::vector<double> logprobs;
  WireReader reader(v, "next_tokens result");
  reader.read("strings", strings);
  reader.read("logprobs", logprobs);
  reader.read("wanted_logprobs", out.wanted_logprobs);
  reader.read("full", out.full);
  const Value* used = reader.take("usage", Value::Type::kObject);
  CONSORT_CHECK_OK(reader.finish());
  CONSORT_TRY(usage, read_usage(used));
  out.usage = usage;
  if (strings.size() != logprobs.size())
    return fail(ErrorKind::kInvalid,
                "a next_tokens result with another number of strings than probabilities");
  for (std::size_t i = 0; i < strings.size(); ++i) out.top.push_back({std::move(strings[i]), logprobs[i]});
  return out;
}

}  // namespace consort
