#include "agents/calls/ensemble/members.h"

#include <algorithm>

#include "agents/calls/agent.h"
#include "agents/calls/ensemble/side_by_side.h"
#include "agents/calls/options.h"
#include "agents/ensemble/byte_mixture.h"
#include "agents/ensemble/token_mixture.h"
#include "agents/ensemble/unite.h"

namespace consort::ensemble_call {
namespace {

std::string text_or(const Value& object, std::string_view key, std::string_view otherwise) {
  const Value* v = object.find(key);
  return v != nullptr && v->is_string() ? v->as_string() : std::string(otherwise);
}

// The call's prompt or messages alone.
Value view_of(const Value& with) {
  Value view = Value::object();
  for (const char* key : {"prompt", "messages"})
    if (const Value* v = with.find(key)) view = view.with(key, *v);
  return view;
}

Result<Member> read_member(const Value& entry, const Value& with, const Value* agents) {
  Member member;
  const bool bare = entry.is_string();
  member.model = bare ? entry.as_string() : entry.get("model").as_string();
  member.name = bare ? member.model : text_or(entry, "name", member.model);
  member.plain_template = text_or(with, "template", "") == "plain";
  Value generation = merged_options(Value(), with, generation_keys());
  if (agents != nullptr && agents->find(member.model) != nullptr) {
    CONSORT_TRY(agent, find_agent(agents, member.model));
    member.model = agent.model;
    member.instructions = agent.instructions;
    member.plain_template = member.plain_template || agent.plain_template;
    generation = merged_options(generation, agent.generation, generation_keys());
  }
  if (!bare) {
    if (const Value* prompt = entry.find("prompt")) member.prompt = prompt->as_string();
    if (const Value* weight = entry.find("weight")) member.weight = weight->as_number();
    if (const Value* t = entry.find("template")) member.plain_template = t->as_string() == "plain";
    generation = merged_options(generation, entry, {"temperature"});
  }
  member.generation = std::move(generation);
  return member;
}

// A model that is a member twice gets a number behind its name.
void make_names_unique(std::vector<Member>& members) {
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::string name = members[i].name;
    std::size_t number = 1;
    const auto taken = [&](const std::string& wanted) {
      return std::any_of(members.begin(), members.begin() + static_cast<std::ptrdiff_t>(i),
                         [&](const Member& m) { return m.name == wanted; });
    };
    while (taken(members[i].name)) members[i].name = name + "#" + std::to_string(++number);
  }
}

Status read_weights(const Value& weights, std::vector<Member>& members) {
  if (weights.is_null()) return {};
  if (weights.is_array()) {
    if (weights.size() != members.size())
      return fail(ErrorKind::kInvalid, "weights has another length than members", "with/weights");
    for (std::size_t i = 0; i < members.size(); ++i) members[i].weight = weights.as_array()[i].as_number();
    return {};
  }
  for (const auto& [name, weight] : weights.as_object()) {
    const auto at =
        std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.name == name; });
    if (at == members.end())
      return fail(ErrorKind::kInvalid, "weights names '" + name + "', which is no member", "with/weights");
    at->weight = weight.as_number();
  }
  return {};
}

Status read_views(const Value& with, Plan& plan) {
  plan.view = view_of(with);
  const bool all_have_prompts = std::all_of(plan.members.begin(), plan.members.end(),
                                            [](const Member& m) { return m.prompt.has_value(); });
  if (plan.view.size() == 2 || (plan.view.size() == 0 && !all_have_prompts))
    return fail(ErrorKind::kInvalid, "give exactly one of prompt and messages", "with");
  for (const char* key : {"score", "contrast"}) {
    const Value* v = with.find(key);
    if (v == nullptr) continue;
    if (v->size() != 1)
      return fail(ErrorKind::kInvalid, "give exactly one of prompt and messages", std::string("with/") + key);
    (std::string_view(key) == "score" ? plan.score_view : plan.contrast_view) = *v;
  }
  return {};
}

Status read_candidates(const Value& with, Plan& plan) {
  const Value* choices = with.find("choices");
  const Value* given = with.find("candidates");
  if (plan.need == PredictionNeed::kAnswers && (given || with.find("score") || with.find("contrast")))
    return fail(
        ErrorKind::kInvalid,
        "candidates, score and contrast belong to strategies that score candidates, not to " + plan.strategy,
        "with");
  if (with.find("contrast") != nullptr && plan.strategy != "rank")
    return fail(ErrorKind::kInvalid, "contrast belongs to combine: rank", "with/contrast");
  if ((plan.task == "choose") != (choices != nullptr))
    return fail(ErrorKind::kInvalid, "task: choose and choices go together", "with/choices");
  if (choices != nullptr) {
    if (given != nullptr)
      return fail(ErrorKind::kInvalid, "give choices or candidates, not both", "with/candidates");
    for (const Value& choice : choices->as_array())
      add_candidate(plan.candidates, choice.as_string(), "choices");
    plan.propose = false;
    return {};
  }
  if (given != nullptr)
    for (const Value& c : given->as_array()) {
      if (c.is_string())
        add_candidate(plan.candidates, c.as_string(), "given");
      else
        add_candidate(plan.candidates, c.get("text").as_string(), text_or(c, "from", "given"));
    }
  const Value* propose = with.find("propose");
  plan.propose = plan.need == PredictionNeed::kAnswers || propose == nullptr || propose->as_bool();
  return {};
}

Status read_signals_at(const Value& with, Plan& plan) {
  const Value* at = with.find("signalsAt");
  if (at == nullptr) return {};
  if (!plan.mixture)
    return fail(ErrorKind::kInvalid, "signalsAt belongs to combine: byteMixture", "with/signalsAt");
  for (const Value& byte : at->as_array()) plan.signals_at.push_back(static_cast<int>(byte.as_integer()));
  return {};
}

}  // namespace

std::string trimmed(const std::string& text) {
  constexpr const char* kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

void add_candidate(std::vector<Candidate>& candidates, const std::string& text, const std::string& from) {
  std::string bare = trimmed(text);
  if (bare.empty()) return;
  auto at =
      std::find_if(candidates.begin(), candidates.end(), [&](const Candidate& c) { return c.text == bare; });
  if (at == candidates.end()) at = candidates.insert(at, Candidate{std::move(bare), {}});
  if (std::find(at->from.begin(), at->from.end(), from) == at->from.end()) at->from.push_back(from);
}

Result<std::vector<Member>> read_members(const Value& with, const Value* agents) {
  std::vector<Member> members;
  for (const Value& entry : with.get("members").as_array()) {
    CONSORT_TRY(member, read_member(entry, with, agents));
    members.push_back(std::move(member));
  }
  make_names_unique(members);
  CONSORT_CHECK_OK(read_weights(with.get("weights"), members));
  return members;
}

Result<Plan> read_plan(const Value& with, const Value* agents) {
  Plan plan;
  plan.task = text_or(with, "task", "generate");
  plan.strategy = text_or(with, "combine", plan.task == "choose" ? "linearPool" : "vote");
  plan.mixture = plan.strategy == kByteMixture;
  const EnsembleStrategy* strategy = find_ensemble_strategy(plan.strategy);
  const bool together = plan.mixture || plan.strategy == kTokenMixture || plan.strategy == kUnite;
  if (strategy == nullptr && !together)
    return fail(ErrorKind::kInvalid, "there is no strategy '" + plan.strategy + "'", "with/combine",
                "known: " + ensemble_strategy_names() + ", " + std::string(kByteMixture) + ", " +
                    std::string(kTokenMixture) + ", " + std::string(kUnite));
  if (strategy != nullptr) plan.need = strategy->needs();
  CONSORT_CHECK_OK(read_signals_at(with, plan));
  if (plan.task == "choose" && plan.need != PredictionNeed::kScores)
    return fail(ErrorKind::kInvalid,
                "task: choose needs a strategy that scores choices, not " + plan.strategy, "with/combine");
  plan.strategy_options = with.find("options") != nullptr ? with.get("options") : Value::object();
  plan.policy.report_errors = text_or(with, "onMemberError", "fail") == "report";
  if (const Value* least = with.find("minMembers"))
    plan.policy.min_members = static_cast<std::size_t>(least->as_integer());
  CONSORT_TRY(members, read_members(with, agents));
  plan.members = std::move(members);
  CONSORT_CHECK_OK(read_views(with, plan));
  CONSORT_CHECK_OK(read_candidates(with, plan));
  if (const Value* join = with.find("join")) plan.join = join->as_string();
  plan.ending = text_or(with, "ending", "");
  plan.whole_text = text_or(with, "normalise", "byte") == "none";
  if (const Value* signals = with.find("signals"))
    for (const Value& name : signals->as_array()) plan.signals.push_back(name.as_string());
  return plan;
}

Result<Prompt> member_prompt(const Member& member, const Value& view, bool is_main_view) {
  Value asked = view;
  if (is_main_view && member.prompt) asked = Value::object({{"prompt", *member.prompt}});
  CONSORT_TRY(prompt, read_prompt(asked));
  prompt.plain_template = member.plain_template;
  if (member.instructions.empty()) return prompt;
  if (prompt.text)
    prompt.text = member.instructions + "\n\n" + *prompt.text;
  else
    prompt.messages.insert(prompt.messages.begin(), ChatMessage{"system", member.instructions});
  return prompt;
}

boost::asio::awaitable<std::vector<Result<ModelHandle>>> acquire_members(ModelDirectory& models,
                                                                         const TaskContext& context,
                                                                         const std::vector<Member>& members) {
  std::vector<Async<ModelHandle>> tasks;
  for (const Member& member : members)
    tasks.push_back(models.acquire(member.model, request_context(context)));
  auto waiting = side_by_side<ModelHandle>(std::move(tasks));
  co_return co_await std::move(waiting);
}

Value members_usage(const std::vector<Member>& members, const std::function<Usage(std::size_t)>& usage) {
  Usage sum;
  Value::Object each;
  for (std::size_t m = 0; m < members.size(); ++m) {
    const Usage own = usage(m);
    sum += own;
    each.emplace_back(members[m].name, usage_value(own));
  }
  return usage_value(sum).with("members", Value::object(std::move(each)));
}

Error member_error(Error error, const Member& member) {
  error.what = "member '" + member.name + "': " + error.what;
  return error;
}

}  // namespace consort::ensemble_call
