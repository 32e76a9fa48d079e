#include "agents/ensemble/votes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "agents/ensemble/numbers.h"
#include "agents/ensemble/ranking.h"

namespace consort::ensemble {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();

struct Group {
  std::vector<std::size_t> members;  // places in the table
};

double per_byte(const MemberPrediction& member) {
  return member.answer_bytes == 0 ? kNone
                                  : member.answer_logprob_nats / static_cast<double>(member.answer_bytes);
}

Contender contender_of(const PredictionTable& table, const std::string& canonical, const Group& group,
                       const std::function<double(const MemberPrediction&)>& say) {
  Contender made;
  made.entry.canonical = canonical;
  made.validation = kNone;
  std::vector<double> says, weights, logprobs;
  const MemberPrediction* likeliest = nullptr;
  for (const std::size_t m : group.members) {
    const MemberPrediction& member = table.members[m];
    says.push_back(say(member));
    weights.push_back(member.weight);
    if (member.answer_bytes > 0) logprobs.push_back(per_byte(member));
    made.validation = std::max(made.validation, member.validation.value_or(kNone));
    made.entry.members.push_back(member.name);
    const bool better = !likeliest || per_byte(member) > per_byte(*likeliest) ||
                        (per_byte(member) == per_byte(*likeliest) && *member.answer < *likeliest->answer);
    if (better) likeliest = &member;
  }
  std::sort(made.entry.members.begin(), made.entry.members.end());
  made.entry.answer = *likeliest->answer;
  made.entry.score = ordered_sum(std::move(says));
  made.weight = ordered_sum(std::move(weights));
  const auto scored = static_cast<double>(logprobs.size());
  made.logprob = logprobs.empty() ? kNone : ordered_sum(std::move(logprobs)) / scored;
  return made;
}

// A letter's entry points at the choice it stands for.
void point_at_choice(const PredictionTable& table, AnswerKind kind, RankedAnswer& entry) {
  if (kind == AnswerKind::kLetter) {
    const auto place = static_cast<std::size_t>(entry.canonical[0] - 'A');
    if (place < table.candidates.size()) entry.candidate = place;
    return;
  }
  for (std::size_t c = 0; c < table.candidates.size(); ++c) {
    const CanonicalAnswer choice = canonical_answer(kind, table.candidates[c]);
    if (choice.parsed && choice.value == entry.canonical && !entry.candidate) entry.candidate = c;
  }
}

std::string abstentions(const EnsembleResult& result) {
  std::string text;
  for (const MemberReport& member : result.members) {
    if (!member.reason.empty()) text += (text.empty() ? "" : ", ") + member.name + ": " + member.reason;
  }
  return text;
}

}  // namespace

AnswerKind answer_kind_option(const Value& options) {
  const Value* name = options.find("answer");
  return name && name->is_string() ? answer_kind(name->as_string()).value_or(AnswerKind::kText)
                                   : AnswerKind::kText;
}

Result<EnsembleResult> combine_votes(const PredictionTable& table, std::string_view strategy, AnswerKind kind,
                                     const std::function<double(const MemberPrediction&)>& say) {
  CONSORT_TRY(members, taking_part(table, PredictionNeed::kAnswers));
  EnsembleResult result;
  result.strategy = strategy;
  report_members(table, result);
  std::map<std::string, Group> groups;
  std::vector<double> cast;
  for (const std::size_t m : members) {
    const CanonicalAnswer read = canonical_answer(kind, *table.members[m].answer, table.candidates);
    MemberReport& report = result.members[m];
    report.canonical = read.value;
    report.reason = read.reason;
    report.abstained = !read.parsed;
    const double weight = say(table.members[m]);
    if (!read.parsed || !(weight > 0)) continue;
    groups[read.value].members.push_back(m);
    report.weight = weight;
    cast.push_back(weight);
  }
  const double total = ordered_sum(cast);
  if (!(total > 0)) {
    return fail(ErrorKind::kRuntime, "no member's answer counts (" + abstentions(result) + ")", "",
                "check the answer kind of the vote against what the members write");
  }
  for (MemberReport& report : result.members) report.weight /= total;
  std::vector<Contender> contenders;
  for (const auto& [canonical, group] : groups) {
    contenders.push_back(contender_of(table, canonical, group, say));
    contenders.back().entry.probability = contenders.back().entry.score / total;
    point_at_choice(table, kind, contenders.back().entry);
  }
  rank_contenders(std::move(contenders), result);
  measure_doubt(result);
  result.signals.disagreement = std::max(0.0, 1 - result.signals.confidence);
  return result;
}

}  // namespace consort::ensemble
