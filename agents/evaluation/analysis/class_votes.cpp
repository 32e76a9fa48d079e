#include "agents/evaluation/analysis/class_votes.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>

#include "agents/ensemble/fitting/dawid_skene.h"
#include "agents/ensemble/strategy.h"
#include "agents/evaluation/analysis/splits.h"
#include "agents/evaluation/measures/classification.h"

namespace consort {
namespace {

using Views = std::span<const ClassView>;
using Truth = std::span<const std::int32_t>;
using Names = std::vector<std::string>;

std::vector<std::size_t> everybody(std::size_t members) {
  std::vector<std::size_t> out(members);
  std::iota(out.begin(), out.end(), 0);
  return out;
}

std::vector<std::vector<std::int32_t>> first_choices(Views members) {
  std::vector<std::vector<std::int32_t>> out;
  for (const ClassView& m : members) out.push_back(measures::likeliest(m.log_p));
  return out;
}

// Members' accuracies on some items: the last tie rule, and the weights of weightedVote.
Result<std::vector<double>> accuracies(Views members, Truth truth) {
  std::vector<double> out;
  for (const auto& choice : first_choices(members)) {
    CONSORT_TRY(share, measures::accuracy(choice, truth));
    out.push_back(share);
  }
  return out;
}

// Classes are answers by their number, so that no two are read as one.
ClassSaid voted(Views members, const Names& names, const std::vector<double>& validation,
                const char* strategy, const Value& options) {
  const auto choices = first_choices(members);
  ClassSaid said;
  for (std::size_t i = 0; i < choices.front().size(); ++i) {
    PredictionTable table;
    for (std::size_t m = 0; m < members.size(); ++m) {
      MemberPrediction p;
      p.name = names[m];
      p.validation = validation[m];
      p.answer = std::to_string(choices[m][i]);
      p.answer_logprob_nats = members[m].log_p.at(i, static_cast<std::size_t>(choices[m][i]));
      p.answer_bytes = 1;
      table.members.push_back(std::move(p));
    }
    const auto result = combine_predictions(strategy, table, options);
    said.answer.push_back(result ? std::stoi(result->ranking.front().canonical)
                                 : -1);  // nobody's vote counts
    said.confidence.push_back(result ? result->signals.confidence : 0);
  }
  return said;
}

ClassStrategy vote(const Names& names) {
  return {"vote", "one member one vote over first choices",
          [names](Views members, Truth truth) -> Result<FittedClasses> {
            CONSORT_TRY(known, accuracies(members, truth));
            FittedClasses fitted{Value::object({}), everybody(members.size()), {}};
            fitted.apply = [names, known](Views m) -> Result<ClassSaid> {
              return voted(m, names, known, "vote", Value::object({{"answer", "number"}}));
            };
            return fitted;
          }};
}

Value naive_bayes(double classes) {
  return Value::object(
      {{"answer", "number"}, {"weighting", "naiveBayes"}, {"answers", std::max(2.0, classes)}});
}

ClassStrategy weighted_vote(const Names& names, double classes) {
  return {"weightedVote", "votes with naive-Bayes weights from the fit split's accuracies",
          [names, classes](Views members, Truth truth) -> Result<FittedClasses> {
            CONSORT_TRY(known, accuracies(members, truth));
            FittedClasses fitted{
                Value::object({{"accuracy", named_numbers(names, known)}}), everybody(members.size()), {}};
            fitted.apply = [names, known, classes](Views m) -> Result<ClassSaid> {
              return voted(m, names, known, "weightedVote", naive_bayes(classes));
            };
            return fitted;
          }};
}

// Distinct first choices of each item, numbered from 0.
std::vector<std::vector<std::int32_t>> numbered(Views members) {
  const auto choices = first_choices(members);
  std::vector<std::vector<std::int32_t>> out(choices.front().size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::map<std::int32_t, std::int32_t> numbers;
    for (const auto& of_member : choices)
      out[i].push_back(
          numbers.emplace(of_member[i], static_cast<std::int32_t>(numbers.size())).first->second);
  }
  return out;
}

ClassStrategy dawid_skene(const Names& names, double classes) {
  return {"dawidSkene", "votes with accuracies estimated from agreement alone, without labels",
          [names, classes](Views members, Truth) -> Result<FittedClasses> {
            fitting::DawidSkeneOptions options;
            options.answers = std::max(2.0, classes);
            CONSORT_TRY(fit, fitting::fit_dawid_skene(numbered(members), options));
            FittedClasses fitted{Value::object({{"accuracy", named_numbers(names, fit.accuracy)}}),
                                 everybody(members.size()),
                                 {}};
            fitted.apply = [names, known = fit.accuracy, classes](Views m) -> Result<ClassSaid> {
              return voted(m, names, known, "weightedVote", naive_bayes(classes));
            };
            return fitted;
          }};
}

// Scores a byte, as the strategy `rank` pools them.
Result<ClassSaid> ranked(Views members, const Names& names) {
  ClassSaid said;
  said.log_p = fitting::Matrix(members.front().log_p.rows(), members.front().log_p.columns);
  std::fill(said.log_p.values.begin(), said.log_p.values.end(), kNoClass);
  for (std::size_t i = 0; i < said.log_p.rows(); ++i) {
    PredictionTable table;
    for (std::size_t c = 0; c < said.log_p.columns; ++c)
      if (members.front().per_byte.at(i, c) > kNoClass / 2) table.candidates.push_back(std::to_string(c));
    for (std::size_t m = 0; m < members.size(); ++m) {
      MemberPrediction p;
      p.name = names[m];
      for (std::size_t c = 0; c < table.candidates.size(); ++c)
        p.scores.push_back({std::min(0.0, members[m].per_byte.at(i, c)), 1, 1});
      table.members.push_back(std::move(p));
    }
    CONSORT_TRY(result, combine_predictions("rank", table, Value::object({})));
    for (const RankedAnswer& answer : result.ranking)
      said.log_p.at(i, *answer.candidate) = std::log(answer.probability);
    said.answer.push_back(static_cast<std::int32_t>(*result.candidate));
    said.confidence.push_back(result.signals.confidence);
  }
  return said;
}

ClassStrategy rank(const Names& names) {
  return {"rank", "mean log-probability per byte of each option",
          [names](Views members, Truth) -> Result<FittedClasses> {
            FittedClasses fitted{Value::object({}), everybody(members.size()), {}};
            fitted.apply = [names](Views m) { return ranked(m, names); };
            return fitted;
          }};
}

}  // namespace

std::vector<ClassStrategy> vote_strategies(const Names& names, bool per_byte, double classes) {
  std::vector<ClassStrategy> out{vote(names), weighted_vote(names, classes), dawid_skene(names, classes)};
  if (per_byte) out.push_back(rank(names));
  return out;
}

}  // namespace consort
