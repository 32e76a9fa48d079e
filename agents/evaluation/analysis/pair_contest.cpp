#include "agents/evaluation/analysis/pair_contest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "agents/ensemble/fitting/logistic.h"
#include "agents/ensemble/fitting/platt.h"
#include "agents/ensemble/fitting/simplex_ridge.h"
#include "agents/evaluation/analysis/class_measures.h"
#include "agents/evaluation/analysis/splits.h"
#include "agents/evaluation/measures/regression.h"
#include "agents/evaluation/measures/roc.h"

namespace consort {
namespace {

using Places = std::vector<std::size_t>;  // of pairs in the task
using Scores = std::function<double(std::size_t pair)>;

constexpr double kPenalty = 1;
constexpr std::size_t kLeastFit = 5;

struct Fitted {
  Value parameters;
  Scores score;  // higher: nearer
};

// True when the marks are true and false, no numbers.
bool has_marks(const Task& task) {
  return std::all_of(task.items.begin(), task.items.end(),
                     [](const TaskItem& i) { return i.gold_number == 0 || i.gold_number == 1; });
}

// The first measure over any pairs.
double quality_of(const Task& task, bool marks, const Scores& score, const Places& pairs) {
  std::vector<double> a, b;
  for (const std::size_t i : pairs) {
    a.push_back(score(i));
    b.push_back(task.items[i].gold_number);
  }
  if (!marks) return measures::spearman(a, b).value_or(kUnknown);
  const auto area = measures::auroc(a, b);
  return area ? area->value : kUnknown;
}

class PairContest {
 public:
  explicit PairContest(const AnalysisRequest& request)
      : r_(request),
        task_(*request.task),
        splits_(splits_of(task_)),
        contest_(empty_contest(task_, splits_)) {}

  Result<Contest> run() {
    if (splits_.fit.size() < kLeastFit)
      return fail(ErrorKind::kInvalid, fmt::format("only {} pairs are for fitting", splits_.fit.size()),
                  task_.name, "give at least 5 pairs the split 'fit', or none any split");
    CONSORT_TRY(folds, folds_of(splits_, r_.seed));
    folds_ = std::move(folds);
    marks_ = has_marks(task_);
    CONSORT_CHECK_OK(standardise());
    add_measures();
    for (std::size_t m = 0; m < names_.size(); ++m) {
      Fitted member{Value::object({}), [this, m](std::size_t i) { return z(m, i); }};
      CONSORT_CHECK_OK(enter(names_[m], Role::kMember, "similarity as recorded", {m}, member));
    }
    best_ = best_place(scores_);
    if (best_ == scores_.size())
      return fail(ErrorKind::kInvalid, "the fit split has pairs of one mark only, or members without spread",
                  task_.name);
    set_best_member(contest_, best_);
    CONSORT_CHECK_OK(add_strategies());
    choose(contest_, scores_, contest_.measures.front().name, !folds_.empty());
    CONSORT_CHECK_OK(add_control());
    add_subsets();
    add_oracle();
    return std::move(contest_);
  }

 private:
  // Mean and deviation of every member on the fit split: cosines and logits become comparable.
  Status standardise() {
    for (const MemberTable& m : r_.members) {
      names_.push_back(m.name);
      CONSORT_TRY(scale, scale_of(m));
      scales_.push_back(scale);
    }
    return {};
  }

  struct Scale {
    double mean = 0, deviation = 1;
    double operator()(double score) const { return (score - mean) / deviation; }
  };

  Result<Scale> scale_of(const MemberTable& m) const {
    double sum = 0, square = 0;
    for (const std::size_t i : all_places()) {
      const PredictionRow& row = *m.rows[i];
      if (row.scores.size() != 1 || !std::isfinite(row.scores[0]))
        return fail(ErrorKind::kInvalid, "one finite score is wanted",
                    m.name + ", item " + task_.items[i].id);
    }
    const double n = static_cast<double>(splits_.fit.size());
    for (const std::size_t i : splits_.fit) sum += m.rows[i]->scores[0] / n;
    for (const std::size_t i : splits_.fit) square += std::pow(m.rows[i]->scores[0] - sum, 2) / n;
    return Scale{sum, square > 0 ? std::sqrt(square) : 1};
  }

  Places all_places() const {
    Places all = splits_.fit;
    all.insert(all.end(), splits_.test.begin(), splits_.test.end());
    return all;
  }

  double z(std::size_t m, std::size_t i) const { return scales_[m](r_.members[m].rows[i]->scores[0]); }
  double gold(std::size_t i) const { return task_.items[i].gold_number; }

  void add_measures() {
    std::vector<double> gold_of;
    for (const std::size_t i : splits_.test) gold_of.push_back(gold(i));
    const auto grouped = [gold_of](auto statistic) -> GroupMeasure {
      return [gold_of, statistic](const Contestant& c, std::span<const std::size_t> items) {
        std::vector<double> a, b;
        for (const std::size_t i : items) {
          a.push_back(c.values[i]);
          b.push_back(gold_of[i]);
        }
        return statistic(a, b);
      };
    };
    const auto area = [](const std::vector<double>& a, const std::vector<double>& b) {
      const auto r = measures::auroc(a, b);
      return r ? r->value : kUnknown;
    };
    if (marks_) {
      contest_.measures = {
          {"auroc", true, false, "chance that a true pair scores above a false one"},
          {"accuracy", true, true, "right at probability 0.5 of a sigmoid fitted to the score"},
          {"nll", false, false, "mean -ln p(right), nats a pair"},
          {"brier", false, false, "mean squared distance of probabilities from the truth, 0 to 2"},
          {"aurc", false, true, "area under the risk-coverage curve"}};
      contest_.groups["auroc"] = grouped(area);
      contest_.groups["aurc"] = selective_area();
      contest_.tested = {"auroc", "accuracy", "nll"};
      contest_.nobody = 0.5;
      return;
    }
    contest_.measures = {{"spearman", true, false, "rank correlation with the marks"},
                         {"pearson", true, false, "linear correlation with the marks"}};
    contest_.groups["spearman"] = grouped([](const std::vector<double>& a, const std::vector<double>& b) {
      return measures::spearman(a, b).value_or(kUnknown);
    });
    contest_.groups["pearson"] = grouped([](const std::vector<double>& a, const std::vector<double>& b) {
      return measures::pearson(a, b).value_or(kUnknown);
    });
    contest_.tested = {"spearman", "pearson"};
  }

  double quality(const Scores& score, const Places& pairs) const {
    return quality_of(task_, marks_, score, pairs);
  }

  Status enter(std::string name, Role role, std::string how, const Places& members, Fitted fitted) {
    return enter(contestant_of(r_, splits_, std::move(name), role, std::move(how), members,
                               std::move(fitted.parameters)),
                 fitted);
  }

  Status enter(Contestant c, const Fitted& fitted) {
    for (const std::size_t i : splits_.test) c.values.push_back(fitted.score(i));
    if (marks_) CONSORT_CHECK_OK(add_probabilities(c, fitted.score));
    c.entry.fit_score = quality(fitted.score, splits_.fit);
    scores_.push_back(c.entry.fit_score);
    contest_.contestants.push_back(std::move(c));
    return {};
  }

  Status add_probabilities(Contestant& c, const Scores& score) const {
    std::vector<double> values;
    std::vector<std::uint8_t> positive;
    for (const std::size_t i : splits_.fit) {
      values.push_back(score(i));
      positive.push_back(gold(i) > 0.5 ? 1 : 0);
    }
    CONSORT_TRY(platt, fitting::fit_platt(values, positive));
    for (std::size_t k = 0; k < splits_.test.size(); ++k) {
      const double p = std::clamp(platt.probability(c.values[k]), 1e-12, 1 - 1e-12);
      const bool truth = gold(splits_.test[k]) > 0.5;
      const double of_truth = truth ? p : 1 - p;
      c.log_p.push_back({std::log1p(-p), std::log(p)});
      c.confidence.push_back(std::max(p, 1 - p));
      c.right.push_back((p >= 0.5) == truth ? 1 : 0);
      c.items["nll"].sums.push_back(-std::log(of_truth));
      c.items["brier"].sums.push_back(2 * (1 - of_truth) * (1 - of_truth));
    }
    c.items["accuracy"].sums = c.right;
    return {};
  }

  Scores weighted(std::vector<double> weights) const {
    return [this, weights = std::move(weights)](std::size_t i) {
      double sum = 0;
      for (std::size_t m = 0; m < weights.size(); ++m) sum += weights[m] * z(m, i);
      return sum;
    };
  }

  Result<Fitted> fitted(const std::string& name, const Places& pairs) const {
    const std::vector<double> equal(names_.size(), 1.0 / static_cast<double>(names_.size()));
    if (name == "zScoreMean") return Fitted{Value::object({}), weighted(equal)};
    fitting::Matrix features(pairs.size(), names_.size());
    std::vector<double> target;
    std::vector<std::uint8_t> positive;
    for (std::size_t k = 0; k < pairs.size(); ++k) {
      for (std::size_t m = 0; m < names_.size(); ++m) features.at(k, m) = z(m, pairs[k]);
      target.push_back(gold(pairs[k]));
      positive.push_back(gold(pairs[k]) > 0.5 ? 1 : 0);
    }
    std::vector<double> weights;
    if (marks_) {
      CONSORT_TRY(model, fitting::fit_logistic(features, positive, kPenalty));
      weights = std::move(model.weights);
    } else {
      CONSORT_CHECK_OK(standard(target));
      CONSORT_TRY(model,
                  fitting::fit_simplex_ridge(features, target, kPenalty / static_cast<double>(pairs.size())));
      weights = std::move(model.weights);
    }
    return Fitted{Value::object({{"weights", named_numbers(names_, weights)}}), weighted(weights)};
  }

  static Status standard(std::vector<double>& values) {
    double mean = 0, square = 0;
    const double n = static_cast<double>(values.size());
    for (const double v : values) mean += v / n;
    for (const double v : values) square += (v - mean) * (v - mean) / n;
    if (!(square > 0)) return fail(ErrorKind::kInvalid, "all marks of the fit split are the same", "task");
    for (double& v : values) v = (v - mean) / std::sqrt(square);
    return {};
  }

  double cross_fitted(const std::string& name) const {
    if (folds_.empty() || name == "zScoreMean") return scores_.back();
    double sum = 0;
    for (int fold = 0; fold < kFolds; ++fold) {
      Places in, out;
      for (std::size_t i = 0; i < folds_.size(); ++i)
        (folds_[i] == fold ? out : in).push_back(splits_.fit[i]);
      const auto made = fitted(name, in);
      if (!made) return scores_.back();  // a fold without one of the marks
      const double part = quality(made->score, out);
      if (std::isnan(part)) return scores_.back();
      sum += part / kFolds;
    }
    return sum;
  }

  Status add_strategies() {
    if (names_.size() < 2) {
      contest_.notes.push_back("one member: there is nothing to combine");
      return {};
    }
    Places everybody;
    for (std::size_t m = 0; m < names_.size(); ++m) everybody.push_back(m);
    constexpr std::pair<const char*, const char*> kHow[] = {
        {"zScoreMean", "mean of the similarities, each brought to mean 0 and deviation 1 by the fit split"},
        {"weighted",
         "weighted mean of the same: logistic regression, for numbers least squares on the simplex"}};
    for (const auto& [name, how] : kHow) {
      if (!wanted(r_, name)) continue;
      CONSORT_TRY(made, fitted(name, splits_.fit));
      CONSORT_CHECK_OK(enter(name, Role::kStrategy, how, everybody, std::move(made)));
      scores_.back() = contest_.contestants.back().entry.fit_score = cross_fitted(name);
    }
    return {};
  }

  // The best member on other wordings of both texts, as often as the ensemble's compute pays for.
  Status add_control() {
    if (r_.control.size() < 2) {
      contest_.notes.push_back("no control of the same compute: " + r_.no_control);
      return {};
    }
    std::vector<Scale> scales;
    for (const MemberTable& t : r_.control) {
      CONSORT_TRY(scale, scale_of(t));
      scales.push_back(scale);
    }
    const Fitted own{Value::object({}), [this, scales](std::size_t i) {
                       double sum = 0;
                       for (std::size_t t = 0; t < scales.size(); ++t)
                         sum += scales[t](r_.control[t].rows[i]->scores[0]);
                       return sum / static_cast<double>(scales.size());
                     }};
    CONSORT_CHECK_OK(enter(
        wordings_of(r_, splits_, names_[best_], "mean of its standardised similarities for each wording"),
        own));
    set_control(contest_);
    return {};
  }

  void add_subsets() {
    for (const auto& set : subsets_of(names_.size(), kMostSubsets)) {
      SubsetQuality subset;
      std::vector<double> weights(names_.size(), 0.0);
      for (const std::size_t m : set) {
        weights[m] = 1;
        subset.members.push_back(names_[m]);
      }
      subset.value = quality(weighted(std::move(weights)), splits_.test);
      if (std::isfinite(subset.value)) contest_.subsets.push_back(std::move(subset));
    }
  }

  // Where members differ, the one that is nearer to the truth.
  void add_oracle() {
    Contestant c = oracle_of(r_, splits_,
                             "the member that is best on the pair, known afterwards: a bound, not a method");
    c.values = contest_.contestants.front().values;
    c.items = contest_.contestants.front().items;
    const double middle = marks_ ? 0.5 : task_mean();
    for (std::size_t m = 1; m < names_.size(); ++m) {
      const Contestant& member = contest_.contestants[m];
      for (std::size_t k = 0; k < contest_.size(); ++k) {
        const bool up = gold(splits_.test[k]) > middle;
        c.values[k] = up ? std::max(c.values[k], member.values[k]) : std::min(c.values[k], member.values[k]);
        for (auto& [measure, items] : c.items)
          items.sums[k] = measure == "accuracy" ? std::max(items.sums[k], member.items.at(measure).sums[k])
                                                : std::min(items.sums[k], member.items.at(measure).sums[k]);
      }
    }
    contest_.contestants.push_back(std::move(c));
  }

  double task_mean() const {
    double sum = 0;
    for (const std::size_t i : splits_.test) sum += gold(i);
    return sum / static_cast<double>(splits_.test.size());
  }

  const AnalysisRequest& r_;
  const Task& task_;
  const Splits splits_;
  Contest contest_;
  std::vector<int> folds_;
  std::vector<std::string> names_;
  std::vector<Scale> scales_;   // [member], on the fit split
  std::vector<double> scores_;  // first measure on the fit split, of all so far
  bool marks_ = false;          // true and false, no numbers
  std::size_t best_ = 0;
};

}  // namespace

Result<Contest> pair_contest(const AnalysisRequest& request) {
  return PairContest(request).run();
}

double pair_fit_quality(const Task& task, const MemberTable& member) {
  const Scores score = [&member](std::size_t i) {
    const std::vector<double>& scores = member.rows[i]->scores;
    return scores.empty() ? kUnknown : scores[0];
  };
  return quality_of(task, has_marks(task), score, splits_of(task).fit);
}

std::vector<std::string> pair_strategy_names() {
  return {"zScoreMean", "weighted"};
}

}  // namespace consort
