// fuse: one text by several members of one model, on the wire.
#include "scheduler/host/wire.h"
#include "scheduler/host/wire_parts.h"

namespace consort {
namespace {

using Presence = WireReader::Presence;

Value combiner_value(const CombinerOptions& c) {
  Value::Array weights(c.weights.begin(), c.weights.end());
  return Value::object({{"rule", combine_rule_name(c.rule)},
                        {"alpha", wire_number(c.alpha)},
                        {"weights", Value::array(std::move(weights))},
                        {"beta", wire_number(c.beta)},
                        {"cut", wire_number(c.cut)}});
}

Result<CombinerOptions> read_combiner(const Value& v) {
  CombinerOptions out;
  std::string rule;
  WireReader reader(v, "combiner");
  reader.read("rule", rule);
  reader.read("alpha", out.alpha);
  reader.read("beta", out.beta);
  reader.read("cut", out.cut);
  reader.read("weights", out.weights);
  CONSORT_CHECK_OK(reader.finish());
  const auto known = combine_rule_of(rule);
  if (!known) return fail(ErrorKind::kInvalid, "there is no way to combine '" + rule + "'", "fuse request");
  out.rule = *known;
  return out;
}

Value signals_value(const StepSignals& s) {
  return Value::object({{"entropy", wire_number(s.entropy)},
                        {"margin", wire_number(s.margin)},
                        {"disagreement", wire_number(s.disagreement)},
                        {"confidence", wire_number(s.confidence)}});
}

Result<StepSignals> read_signals(const Value& v) {
  StepSignals out;
  WireReader reader(v, "fuse signals");
  reader.read("entropy", out.entropy);
  reader.read("margin", out.margin);
  reader.read("disagreement", out.disagreement);
  reader.read("confidence", out.confidence);
  CONSORT_CHECK_OK(reader.finish());
  return out;
}

}  // namespace

Value to_wire(const FuseRequest& r) {
  Value::Array members;
  for (const FusedMember& m : r.members)
    members.push_back(Value::object({{"prompt", wire_prompt(m.prompt)}, {"temperature", wire_number(m.temperature)}}));
  Value::Object out{{"members", Value::array(std::move(members))}, {"combiner", combiner_value(r.combiner)}};
  append_generation(out, r);
  return Value::object(std::move(out));
}

Result<FuseRequest> read_fuse_request(const Value& v) {
  FuseRequest out;
  WireReader reader(v, "fuse request");
  const Value* members = reader.take("members", Value::Type::kArray);
  const Value* combiner = reader.take("combiner", Value::Type::kObject);
  CONSORT_CHECK_OK(read_generation_options(reader, Presence::kRequired, out));
  for (const Value& entry : members->as_array()) {
    FusedMember member;
    WireReader one(entry, "fuse member");
    const Value* prompt = one.take("prompt", Value::Type::kObject);
    one.read("temperature", member.temperature, Presence::kOptional);
    CONSORT_CHECK_OK(one.finish());
    CONSORT_TRY(read, read_wire_prompt(*prompt));
    member.prompt = std::move(read);
    out.members.push_back(std::move(member));
  }
  CONSORT_TRY(pool, read_combiner(*combiner));
  out.combiner = std::move(pool);
  return out;
}

Value to_wire(const FuseResult& r, std::vector<TensorLease>& tensors) {
  Value::Array members;
  for (const FusedMemberResult& m : r.members)
    members.push_back(Value::object({{"logprob_nats", wire_number(m.logprob_nats)},
                                     {"agreed", m.agreed},
                                     {"weight", wire_number(m.weight)}}));
  return Value::object({{"generated", to_wire(static_cast<const GenerateResult&>(r), tensors)},
                        {"members", Value::array(std::move(members))},
                        {"signals", signals_value(r.signals)},
                        {"steps", r.steps}});
}

Result<FuseResult> read_fuse_result(const Value& v, const std::vector<TensorLease>& tensors) {
  FuseResult out;
  WireReader reader(v, "fuse result");
  const Value* generated = reader.take("generated", Value::Type::kObject);
  const Value* members = reader.take("members", Value::Type::kArray);
  const Value* signals = reader.take("signals", Value::Type::kObject);
  reader.read("steps", out.steps);
  CONSORT_CHECK_OK(reader.finish());
  CONSORT_TRY(text, read_generate_result(*generated, tensors));
  static_cast<GenerateResult&>(out) = std::move(text);
  for (const Value& entry : members->as_array()) {
    FusedMemberResult member;
    WireReader one(entry, "fuse member");
    one.read("logprob_nats", member.logprob_nats);
    one.read("agreed", member.agreed);
    one.read("weight", member.weight);
    CONSORT_CHECK_OK(one.finish());
    out.members.push_back(member);
  }
  CONSORT_TRY(read, read_signals(*signals));
  out.signals = read;
  return out;
}

}  // namespace consort
