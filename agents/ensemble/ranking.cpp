#include "agents/ensemble/ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "agents/ensemble/numbers.h"

namespace consort::ensemble {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();

// -1: a before b, 1: b before a, 0: equal; `rule` names what told them apart.
int tie_order(const Contender& a, const Contender& b, const char*& rule) {
  const auto larger = [&](double x, double y, const char* name) {
    const double p = on_grid(x), q = on_grid(y);
    if (p == q) return 0;
    rule = name;
    return p > q ? -1 : 1;
  };
  if (const int c = larger(a.entry.score, b.entry.score, "none")) return c;
  if (const int c = larger(a.weight, b.weight, "weight")) return c;
  if (const int c = larger(a.logprob, b.logprob, "logprob")) return c;
  if (const int c = larger(a.validation, b.validation, "validation")) return c;
  rule = "unbroken";
  return a.entry.canonical.compare(b.entry.canonical);
}

Status check_scores(const PredictionTable& table, const MemberPrediction& member) {
  if (member.scores.size() != table.candidates.size()) {
    return fail(ErrorKind::kInvalid, "member '" + member.name + "' has " +
                                         std::to_string(member.scores.size()) + " scores for " +
                                         std::to_string(table.candidates.size()) + " candidates");
  }
  for (std::size_t c = 0; c < member.scores.size(); ++c) {
    const CandidateScore& score = member.scores[c];
    if (!std::isfinite(score.logprob_nats) || score.logprob_nats > 1e-6) {
      return fail(ErrorKind::kInvalid, "member '" + member.name + "' gives candidate " + std::to_string(c) +
                                           " a log-probability that is not a finite number of at most 0");
    }
    if (score.bytes == 0) {
      return fail(ErrorKind::kInvalid,
                  "candidate " + std::to_string(c) + " of member '" + member.name + "' has no bytes");
    }
  }
  return {};
}

}  // namespace

Value embedded_json(const char* text, const char* name) {
  auto v = parse_json(text, name);
  if (!v) throw std::logic_error(v.error().line());  // a mistake in this build, found by its tests
  return *v;
}

void rank_contenders(std::vector<Contender> contenders, EnsembleResult& result) {
  const char* rule = "none";
  std::sort(contenders.begin(), contenders.end(), [](const Contender& a, const Contender& b) {
    const char* ignored = "";
    return tie_order(a, b, ignored) < 0;
  });
  result.ranking.clear();
  for (const Contender& contender : contenders) result.ranking.push_back(contender.entry);
  if (contenders.empty()) return;
  result.answer = contenders[0].entry.answer;
  result.candidate = contenders[0].entry.candidate;
  result.tie = {};
  if (contenders.size() > 1) tie_order(contenders[0], contenders[1], rule);
  result.tie.rule = rule;
  if (result.tie.rule == "none") return;
  const double top = on_grid(contenders[0].entry.score);
  for (const Contender& contender : contenders) {
    if (on_grid(contender.entry.score) == top) result.tie.among.push_back(contender.entry.answer);
  }
}

void measure_doubt(EnsembleResult& result) {
  std::vector<double> logs;
  double first = 0, second = 0;
  for (const RankedAnswer& answer : result.ranking) {
    logs.push_back(std::log(answer.probability));
    second = std::max(second, std::min(first, answer.probability));
    first = std::max(first, answer.probability);
  }
  result.signals.entropy = entropy_of_logs(logs);
  result.signals.margin = first - second;
  result.signals.confidence = result.ranking.empty() ? 0 : result.ranking[0].probability;
}

Result<std::vector<std::size_t>> taking_part(const PredictionTable& table, PredictionNeed need) {
  std::vector<std::size_t> members;
  std::vector<double> weights;
  if (need == PredictionNeed::kScores && table.candidates.empty()) {
    return fail(ErrorKind::kInvalid, "there are no candidates to choose from");
  }
  for (std::size_t m = 0; m < table.members.size(); ++m) {
    const MemberPrediction& member = table.members[m];
    if (!(member.weight >= 0) || !std::isfinite(member.weight)) {
      return fail(ErrorKind::kInvalid,
                  "the weight of member '" + member.name + "' must be a number of at least 0");
    }
    if (member.error) continue;
    if (need == PredictionNeed::kScores) CONSORT_CHECK_OK(check_scores(table, member));
    if (need == PredictionNeed::kAnswers && !member.answer) {
      return fail(ErrorKind::kInvalid, "member '" + member.name + "' has neither an answer nor an error");
    }
    members.push_back(m);
    weights.push_back(member.weight);
  }
  if (members.empty()) return fail(ErrorKind::kRuntime, "no member of the ensemble answered");
  if (!(ordered_sum(weights) > 0)) return fail(ErrorKind::kInvalid, "the weights of the members sum to 0");
  return members;
}

std::vector<double> normalised_weights(const PredictionTable& table,
                                       const std::vector<std::size_t>& members) {
  std::vector<double> weights;
  for (const std::size_t m : members) weights.push_back(table.members[m].weight);
  const double total = ordered_sum(weights);
  for (double& w : weights) w /= total;
  return weights;
}

void report_members(const PredictionTable& table, EnsembleResult& result) {
  std::vector<double> milliseconds, flop, bytes;
  for (const MemberPrediction& member : table.members) {
    MemberReport& report = result.members.emplace_back();
    report.name = member.name;
    report.cost = member.cost;
    report.error = member.error;
    report.weight = 0;
    if (member.answer) report.answer = *member.answer;
    if (member.answer_bytes > 0)
      report.score = member.answer_logprob_nats / static_cast<double>(member.answer_bytes);
    if (member.error) {
      report.reason = "error";
      result.missing.push_back(member.name);
    }
    result.cost.tokens += member.cost.tokens;
    milliseconds.push_back(member.cost.milliseconds);
    flop.push_back(member.cost.flop);
    bytes.push_back(member.cost.bytes);
  }
  result.cost.milliseconds = ordered_sum(std::move(milliseconds));
  result.cost.flop = ordered_sum(std::move(flop));
  result.cost.bytes = ordered_sum(std::move(bytes));
}

ScoreTable score_table(const PredictionTable& table, const std::vector<std::size_t>& members) {
  ScoreTable made;
  std::vector<std::size_t> order(table.candidates.size());
  for (std::size_t c = 0; c < order.size(); ++c) order[c] = c;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return table.candidates[a] < table.candidates[b]; });
  made.total.resize(members.size());
  made.per_byte.resize(members.size());
  for (const std::size_t c : order) {
    const bool again = !made.candidates.empty() && made.candidates.back() == table.candidates[c];
    if (!again) {
      made.candidates.push_back(table.candidates[c]);
      made.places.push_back(c);
    }
    for (std::size_t m = 0; m < members.size(); ++m) {
      const CandidateScore& score = table.members[members[m]].scores[c];
      const double total = std::min(0.0, score.logprob_nats),
                   per_byte = total / static_cast<double>(score.bytes);
      if (!again) {
        made.total[m].push_back(total);
        made.per_byte[m].push_back(per_byte);
      } else {  // the same text twice: the better of the two scores
        made.total[m].back() = std::max(made.total[m].back(), total);
        made.per_byte[m].back() = std::max(made.per_byte[m].back(), per_byte);
      }
    }
  }
  return made;
}

std::vector<bool> own_choices(const std::vector<double>& own) {
  const double top = on_grid(*std::max_element(own.begin(), own.end()));
  std::vector<bool> first(own.size());
  for (std::size_t c = 0; c < own.size(); ++c) first[c] = on_grid(own[c]) == top;
  return first;
}

std::vector<Contender> candidate_contenders(const PredictionTable& table,
                                            const std::vector<std::size_t>& members,
                                            const std::vector<double>& weights, const ScoreTable& scores) {
  std::vector<Contender> contenders(scores.candidates.size());
  for (std::size_t c = 0; c < contenders.size(); ++c) {
    Contender& contender = contenders[c];
    contender.entry.answer = contender.entry.canonical = scores.candidates[c];
    contender.entry.candidate = scores.places[c];
    contender.validation = kNone;
    std::vector<double> said, logprob;
    for (std::size_t m = 0; m < members.size(); ++m) {
      logprob.push_back(weights[m] * scores.per_byte[m][c]);
      if (!own_choices(scores.per_byte[m])[c]) continue;
      said.push_back(weights[m]);
      contender.validation =
          std::max(contender.validation, table.members[members[m]].validation.value_or(kNone));
    }
    contender.weight = ordered_sum(std::move(said));
    contender.logprob = ordered_sum(std::move(logprob));
  }
  return contenders;
}

void report_own_choices(const PredictionTable& table, const std::vector<std::size_t>& members,
                        const std::vector<double>& weights, const ScoreTable& scores,
                        const std::vector<std::vector<double>>& own, EnsembleResult& result) {
  report_members(table, result);
  for (std::size_t m = 0; m < members.size(); ++m) {
    MemberReport& report = result.members[members[m]];
    const std::vector<bool> first = own_choices(own[m]);
    const auto choice = static_cast<std::size_t>(std::find(first.begin(), first.end(), true) - first.begin());
    report.answer = report.canonical = scores.candidates[choice];
    report.score = scores.per_byte[m][choice];
    report.weight = weights[m];
    report.reason = "scored";
  }
}

}  // namespace consort::ensemble
