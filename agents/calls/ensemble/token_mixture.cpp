#include "agents/calls/ensemble/token_mixture.h"

#include <algorithm>

#include "agents/calls/ensemble/doubt_values.h"
#include "agents/calls/options.h"
#include "agents/calls/streaming.h"
#include "agents/ensemble/token_mixture.h"

namespace consort::ensemble_call {
namespace {

Status check_members(const Plan& plan) {
  for (const Member& member : plan.members)
    if (member.model != plan.members.front().model)
      return fail(ErrorKind::kInvalid, "tokenMixture is for one model in several prompts or temperatures",
                  "with/members", "byteMixture mixes members of any models");
  if (plan.members.size() > static_cast<std::size_t>(kMaxFusedMembers))
    return fail(ErrorKind::kInvalid, "too many members in lock step", "with/members",
                "at most " + std::to_string(kMaxFusedMembers));
  if (plan.policy.report_errors)
    return fail(ErrorKind::kInvalid, "members of one model fail together", "with/onMemberError",
                "leave onMemberError: report out");
  return {};
}

// Members' temperatures act on their distributions; whether tokens are drawn at all is the call's. What else acts
// on tokens (topP, penalties, ...) acts on the combination.
Result<FuseRequest> request_of(const Plan& plan, std::uint64_t seed) {
  FuseRequest out;
  CONSORT_TRY(combiner, read_token_mixture(plan.strategy_options));
  out.combiner = std::move(combiner);
  std::size_t cold = 0;
  for (const Member& member : plan.members) {
    GenerateRequest own;
    CONSORT_CHECK_OK(read_generation(member.generation, seed, own));
    FusedMember fused;
    CONSORT_TRY(prompt, member_prompt(member, plan.view, true));
    fused.prompt = std::move(prompt);
    if (own.sampling.temperature == 0) ++cold;
    if (own.sampling.temperature > 0) fused.temperature = own.sampling.temperature;
    out.members.push_back(std::move(fused));
    out.combiner.weights.push_back(member.weight);
    if (out.members.size() > 1) continue;
    out.max_tokens = own.max_tokens;
    out.stop = std::move(own.stop);
    out.ignore_eos = own.ignore_eos;
    out.sampling = std::move(own.sampling);
  }
  if (cold != 0 && cold != plan.members.size())
    return fail(ErrorKind::kInvalid, "some members are greedy and some are drawn from, but all write one text",
                "with/temperature", "give all members a temperature above 0, or 0 to the call");
  out.sampling.temperature = cold > 0 ? 0 : 1;
  return out;
}

Value output_of(const Plan& plan, const FuseRequest& request, const FuseResult& result) {
  const std::string written = text_of(result.text);
  const double steps = std::max(1, result.steps);
  Value::Array members;
  for (std::size_t m = 0; m < plan.members.size(); ++m)
    members.push_back(Value::object({{"name", plan.members[m].name},
                                     {"answer", written},
                                     {"score", result.members[m].logprob_nats / steps},
                                     {"weight", result.members[m].weight},
                                     {"agreed", result.members[m].agreed / steps},
                                     {"error", Value()}}));
  Value combined = Value::object({{"strategy", std::string(kTokenMixture)},
                                  {"tie", Value()},
                                  {"pool", std::string(combine_rule_name(request.combiner.rule))}});
  if (request.combiner.rule == CombineRule::kBayes)
    combined = combined.with("alpha", request.combiner.alpha);
  combined = combined.with("tokens", result.steps).with("logprob", result.logprob_nats);
  return Value::object({{"text", trimmed(written)},
                        {"answer", written},
                        {"finishReason", result.finish_reason},
                        {"members", Value::array(std::move(members))},
                        {"combined", std::move(combined)},
                        {"missing", Value::array()},
                        {"signals", signals_value(result.signals, plan.signals)},
                        {"usage", usage_value(result.usage)}});
}

}  // namespace

boost::asio::awaitable<Result<TaskOutcome>> run_token_mixture(ModelDirectory& models,
                                                              const TaskContext& context, Plan plan) {
  if (auto possible = check_members(plan); !possible) co_return forward_error(possible);
  auto request = request_of(plan, context.seed);
  if (!request) co_return forward_error(request);
  auto acquiring = models.acquire(plan.members.front().model, request_context(context));
  auto model = co_await std::move(acquiring);
  if (!model) co_return forward_error(model);
  auto asking = model->fuse(*request, request_context(context), token_events(context));
  auto result = co_await std::move(asking);
  if (!result) co_return forward_error(result);
  co_return TaskOutcome{output_of(plan, *request, *result), usage_value(result->usage)};
}

}  // namespace consort::ensemble_call
