#include "agents/calls/ensemble/items.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "agents/calls/ensemble/members.h"
#include "agents/calls/ensemble/side_by_side.h"
#include "agents/calls/model_call.h"

namespace consort::ensemble_call {
namespace {

constexpr double kUnknownLabel = 1e-12;  // probability; keeps a log pool finite
constexpr int kEveryLabel = 1 << 20;

// What the call asks of every member.
struct ItemPlan {
  std::vector<Member> members;
  ModelInput item;
  std::string strategy, input_type;
  Value strategy_options = Value::object();
  std::vector<std::string> labels, signals;
  MemberPolicy policy;
  std::size_t top = 5;
};

Result<ItemPlan> read_item_plan(const Value& with, const Value* agents, ModelInput item) {
  const auto text = [&](const char* key, const char* otherwise) {
    const Value* v = with.find(key);
    return v != nullptr ? v->as_string() : std::string(otherwise);
  };
  ItemPlan plan;
  CONSORT_TRY(members, read_members(with, agents));
  plan.members = std::move(members);
  plan.item = std::move(item);
  plan.strategy = text("combine", text("task", "") == "embed" ? "concatenate" : "linearPool");
  plan.input_type = text("inputType", "");
  if (const Value* options = with.find("options")) plan.strategy_options = *options;
  if (const Value* labels = with.find("labels"))
    for (const Value& label : labels->as_array()) plan.labels.push_back(label.as_string());
  if (const Value* signals = with.find("signals"))
    for (const Value& name : signals->as_array()) plan.signals.push_back(name.as_string());
  if (const Value* top = with.find("topK")) plan.top = static_cast<std::size_t>(top->as_integer());
  plan.policy.report_errors = text("onMemberError", "fail") == "report";
  if (const Value* least = with.find("minMembers"))
    plan.policy.min_members = static_cast<std::size_t>(least->as_integer());
  return plan;
}

// An item's own error is the member's.
template <typename Answer>
void raise_item_errors(std::vector<Result<Answer>>& answers) {
  for (auto& answer : answers)
    if (answer && !answer->errors.empty()) answer = tl::unexpected<Error>(answer->errors.front().error);
}

template <typename Answer>
Status check_members(const ItemPlan& plan, const std::vector<Result<Answer>>& answers, bool all_needed) {
  for (std::size_t m = 0; m < answers.size(); ++m) {
    if (answers[m]) continue;
    const Error& error = answers[m].error();
    if (plan.policy.report_errors && !all_needed && error.kind != ErrorKind::kCancelled) continue;
    return tl::unexpected<Error>(member_error(error, plan.members[m]));
  }
  return {};
}

template <typename Answer>
Value usage_of(const ItemPlan& plan, const std::vector<Result<Answer>>& answers) {
  return members_usage(plan.members,
                       [&](std::size_t m) { return answers[m] ? answers[m]->usage : Usage{}; });
}

// ---- classify -------------------------------------------------------------------------------------------

// A member's distribution: the network's own labels, or its decision where it needed no pass.
const std::vector<LabelScore>& distribution(const Decision& decision) {
  return decision.raw.empty() ? decision.labels : decision.raw;
}

PredictionTable label_table(const ItemPlan& plan, const std::vector<Result<ClassifyResult>>& answers) {
  PredictionTable table;
  std::map<std::string, std::size_t> place;
  for (const auto& answer : answers)
    if (answer)
      for (const LabelScore& l : distribution(answer->decisions[0]))
        if (place.emplace(l.label, table.candidates.size()).second) table.candidates.push_back(l.label);
  for (std::size_t m = 0; m < answers.size(); ++m) {
    MemberPrediction p;
    p.name = plan.members[m].name;
    p.weight = plan.members[m].weight;
    if (!answers[m]) {
      p.error = answers[m].error();
      table.members.push_back(std::move(p));
      continue;
    }
    const Decision& decision = answers[m]->decisions[0];
    for (const std::string& label : table.candidates)
      p.scores.push_back({std::log(kUnknownLabel), label.size(), 1});
    for (const LabelScore& l : distribution(decision))
      p.scores[place.at(l.label)].logprob_nats = std::log(std::max(l.score, kUnknownLabel));
    if (!decision.labels.empty()) {
      p.answer = decision.labels[0].label;
      p.answer_logprob_nats = std::log(std::max(decision.labels[0].score, kUnknownLabel));
      p.answer_bytes = 1;
    }
    const Usage& u = answers[m]->usage;
    p.cost = {u.prompt_tokens, u.prefill_ms, u.flop, u.bytes};
    table.members.push_back(std::move(p));
  }
  return table;
}

Value classify_output(const ItemPlan& plan, const EnsembleResult& result, Value usage) {
  Value::Array labels;
  for (const RankedAnswer& answer : result.ranking) {
    if (labels.size() == plan.top) break;
    labels.push_back(Value::object({{"label", answer.answer}, {"score", answer.probability}}));
  }
  const Value all = result.to_value(plan.signals);
  return Value::object({{"labels", Value::array(std::move(labels))},
                        {"text", result.answer},
                        {"members", all.get("members")},
                        {"combined", all.get("combined")},
                        {"missing", all.get("missing")},
                        {"signals", all.get("signals")},
                        {"usage", std::move(usage)}});
}

boost::asio::awaitable<Result<TaskOutcome>> classify(ModelDirectory* models, const TaskContext& context,
                                                     ItemPlan plan) {
  std::vector<Async<ClassifyResult>> tasks;
  for (const Member& member : plan.members) {
    ClassifyRequest request;
    request.inputs = {plan.item};
    request.top = kEveryLabel;
    request.labels = plan.labels;
    tasks.push_back(ask_model(models, member.model, &ModelHandle::classify, std::move(request),
                              request_context(context)));
  }
  auto waiting = side_by_side<ClassifyResult>(std::move(tasks));
  auto answers = co_await std::move(waiting);
  raise_item_errors(answers);
  if (Status good = check_members(plan, answers, false); !good) co_return forward_error(good);
  auto result =
      combine_predictions(plan.strategy, label_table(plan, answers), plan.strategy_options, plan.policy);
  if (!result) co_return forward_error(result);
  Value usage = usage_of(plan, answers);
  co_return TaskOutcome{classify_output(plan, *result, usage), usage};
}

// ---- embed ----------------------------------------------------------------------------------------------

std::vector<double> unit_vector(const TensorView& row) {
  std::vector<double> out(static_cast<std::size_t>(row.cols()));
  double squares = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = row.as<float>()[i];
    squares += out[i] * out[i];
  }
  for (double& x : out) x = squares > 0 ? x / std::sqrt(squares) : 0;
  return out;
}

Result<std::vector<double>> combine_vectors(const ItemPlan& plan,
                                            const std::vector<Result<EmbedResult>>& answers) {
  double weights = 0;
  for (std::size_t m = 0; m < answers.size(); ++m) weights += answers[m] ? plan.members[m].weight : 0;
  if (!(weights > 0)) return fail(ErrorKind::kInvalid, "no member has a weight above 0", "with/weights");
  std::vector<double> out;
  double squares = 0;
  for (std::size_t m = 0; m < answers.size(); ++m) {
    if (!answers[m]) continue;
    const double share = plan.members[m].weight / weights;
    std::vector<double> row = unit_vector(answers[m]->item(0));
    if (plan.strategy == "concatenate") {
      for (const double x : row) out.push_back(x * std::sqrt(share));
      continue;
    }
    if (!out.empty() && out.size() != row.size())
      return fail(ErrorKind::kInvalid, "a mean needs members of one dimension", "with/members",
                  "use combine: concatenate");
    out.resize(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) out[i] += share * row[i];
  }
  if (plan.strategy == "concatenate") return out;
  for (const double x : out) squares += x * x;
  for (double& x : out) x = squares > 0 ? x / std::sqrt(squares) : 0;
  return out;
}

Value embed_output(const ItemPlan& plan, const std::vector<Result<EmbedResult>>& answers,
                   const std::vector<double>& vector, Value usage) {
  Value::Array numbers, members, missing;
  for (const double x : vector) numbers.emplace_back(static_cast<double>(static_cast<float>(x)));
  for (std::size_t m = 0; m < answers.size(); ++m) {
    const std::string& name = plan.members[m].name;
    if (!answers[m]) {
      missing.emplace_back(name);
      members.push_back(Value::object({{"name", name}, {"error", answers[m].error().line()}}));
      continue;
    }
    const Usage& u = answers[m]->usage;
    members.push_back(Value::object({{"name", name},
                                     {"dimension", answers[m]->embeddings.view.cols()},
                                     {"weight", plan.members[m].weight},
                                     {"tokens", u.prompt_tokens},
                                     {"milliseconds", u.prefill_ms}}));
  }
  return Value::object({{"embedding", Value::array(std::move(numbers))},
                        {"members", Value::array(std::move(members))},
                        {"combined", Value::object({{"strategy", plan.strategy}})},
                        {"missing", Value::array(std::move(missing))},
                        {"usage", std::move(usage)}});
}

boost::asio::awaitable<Result<TaskOutcome>> embed(ModelDirectory* models, const TaskContext& context,
                                                  ItemPlan plan) {
  if (plan.strategy != "concatenate" && plan.strategy != "mean")
    co_return fail(ErrorKind::kInvalid, "embeddings are not combined by '" + plan.strategy + "'",
                   "with/combine", "known: concatenate, mean");
  std::vector<Async<EmbedResult>> tasks;
  for (const Member& member : plan.members) {
    EmbedRequest request;
    request.inputs = {plan.item};
    request.input_type = plan.input_type;
    request.level = EmbeddingLevel::kItem;
    tasks.push_back(
        ask_model(models, member.model, &ModelHandle::embed, std::move(request), request_context(context)));
  }
  auto waiting = side_by_side<EmbedResult>(std::move(tasks));
  auto answers = co_await std::move(waiting);
  raise_item_errors(answers);
  if (Status good = check_members(plan, answers, plan.strategy == "concatenate"); !good)
    co_return forward_error(good);
  const auto present = static_cast<std::size_t>(
      std::count_if(answers.begin(), answers.end(), [](const auto& answer) { return answer.has_value(); }));
  if (present < std::max<std::size_t>(plan.policy.min_members, 1))
    co_return fail(ErrorKind::kUnavailable, "fewer members answered than minMembers wants");
  auto vector = combine_vectors(plan, answers);
  if (!vector) co_return forward_error(vector);
  Value usage = usage_of(plan, answers);
  co_return TaskOutcome{embed_output(plan, answers, *vector, usage), usage};
}

}  // namespace

boost::asio::awaitable<Result<TaskOutcome>> run_item_ensemble(CallServices services,
                                                              const TaskContext& context, Value with) {
  if (services.models == nullptr) co_return not_connected("ensemble", "models");
  const Value* input = with.find("input");
  if (input == nullptr || input->is_array())
    co_return fail(ErrorKind::kInvalid, "classify and embed want one item as input", "with/input");
  auto inputs = read_model_inputs(*input, services.blobs);
  if (!inputs) co_return forward_error(inputs);
  auto running =
      run_item_ensemble(*services.models, context, std::move(with), std::move(inputs->items.front()));
  co_return co_await std::move(running);
}

boost::asio::awaitable<Result<TaskOutcome>> run_item_ensemble(ModelDirectory& models,
                                                              const TaskContext& context, Value with,
                                                              ModelInput item) {
  auto plan = read_item_plan(with, context.agents, std::move(item));
  if (!plan) co_return forward_error(plan);
  const bool embeds = with.get("task").as_string() == "embed";
  auto running =
      embeds ? embed(&models, context, std::move(*plan)) : classify(&models, context, std::move(*plan));
  co_return co_await std::move(running);
}

}  // namespace consort::ensemble_call
