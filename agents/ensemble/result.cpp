// EnsembleResult as the output of an `ensemble` task.
#include <algorithm>

#include "agents/ensemble/strategy.h"

namespace consort {
namespace {

Value candidate_value(const std::optional<std::size_t>& candidate) {
  return candidate ? Value(static_cast<std::uint64_t>(*candidate)) : Value();
}

Value names(const std::vector<std::string>& list) {
  Value::Array made;
  for (const std::string& name : list) made.emplace_back(name);
  return Value::array(std::move(made));
}

Value ranked(const RankedAnswer& answer) {
  Value::Object made = {{"answer", answer.answer}};
  if (answer.canonical != answer.answer) made.emplace_back("canonical", answer.canonical);
  if (answer.candidate) made.emplace_back("candidate", candidate_value(answer.candidate));
  made.emplace_back("score", answer.score);
  made.emplace_back("probability", answer.probability);
  if (!answer.members.empty()) made.emplace_back("members", names(answer.members));
  return Value::object(std::move(made));
}

Value reported(const MemberReport& member) {
  Value::Object made = {{"name", member.name}, {"answer", member.answer}};
  if (!member.canonical.empty() && member.canonical != member.answer)
    made.emplace_back("canonical", member.canonical);
  made.emplace_back("reason", member.reason);
  if (member.abstained) made.emplace_back("abstained", true);
  made.emplace_back("score", member.score);
  made.emplace_back("weight", member.weight);
  made.emplace_back("tokens", member.cost.tokens);
  made.emplace_back("milliseconds", member.cost.milliseconds);
  made.emplace_back("flop", member.cost.flop);
  made.emplace_back("bytes", member.cost.bytes);
  made.emplace_back("error", member.error ? Value(member.error->what) : Value());
  return Value::object(std::move(made));
}

}  // namespace

Value EnsembleResult::to_value(const std::vector<std::string>& wanted_signals) const {
  Value::Array rows, reports;
  for (const RankedAnswer& row : ranking) rows.push_back(ranked(row));
  for (const MemberReport& member : members) reports.push_back(reported(member));
  Value tied;
  if (tie.rule != "none") tied = Value::object({{"rule", tie.rule}, {"among", names(tie.among)}});
  Value::Object doubt;
  const std::pair<const char*, double> all[] = {{"entropy", signals.entropy},
                                                {"margin", signals.margin},
                                                {"disagreement", signals.disagreement},
                                                {"confidence", signals.confidence}};
  for (const auto& [name, value] : all) {
    const bool wanted = wanted_signals.empty() ||
                        std::find(wanted_signals.begin(), wanted_signals.end(), name) != wanted_signals.end();
    if (wanted) doubt.emplace_back(name, value);
  }
  return Value::object({{"answer", answer},
                        {"candidate", candidate_value(candidate)},
                        {"ranking", Value::array(std::move(rows))},
                        {"members", Value::array(std::move(reports))},
                        {"combined", Value::object({{"strategy", strategy}, {"tie", tied}})},
                        {"missing", names(missing)},
                        {"signals", Value::object(std::move(doubt))},
                        {"cost", consort::to_value(cost)}});
}

}  // namespace consort
