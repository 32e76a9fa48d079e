// From a contest to results: intervals, paired tests, verdicts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "agents/ensemble/fitting/attribution.h"
#include "agents/ensemble/fitting/special.h"
#include "agents/evaluation/analysis/analysis.h"
#include "agents/evaluation/measures/bootstrap.h"
#include "agents/evaluation/measures/diversity.h"
#include "agents/evaluation/measures/paired_tests.h"

namespace consort {
namespace {

constexpr int kMostGroupResamples = 500;  // a measure of many items together costs a sort each time
constexpr double kAlpha = 0.05;
constexpr double kPowerFactor =
    2.8016;  // z(0.975) + z(0.8): difference found with 80 % power, in standard errors

class Judge {
 public:
  Judge(const Contest& contest, const Task& task, const JudgeOptions& options)
      : c_(contest), task_(task), options_(options) {
    clusters_.assign(c_.clusters.begin(), c_.clusters.end());
    everything_.resize(c_.size());
    std::iota(everything_.begin(), everything_.end(), 0);
    out_.clusters = std::set<std::size_t>(c_.clusters.begin(), c_.clusters.end()).size();
  }

  Result<EvaluationResults> run() {
    fill_head();
    count_steps();
    for (const Contestant& contestant : c_.contestants) CONSORT_CHECK_OK(estimate(contestant));
    CONSORT_CHECK_OK(compare());
    CONSORT_CHECK_OK(correct());
    diversity();
    member_worth();
    return std::move(out_);
  }

 private:
  bool clustered() const { return out_.clusters < c_.size(); }

  void fill_head() {
    out_.task = task_.name;
    out_.kind = task_kind_name(task_.kind);
    std::tie(out_.description, out_.licence, out_.source, out_.digest) =
        std::tie(task_.description, task_.licence, task_.source, task_.digest);
    for (const TaskItem& item : task_.items) {
      if (item.split == kTrainSplit) ++out_.items_train;
      if (item.split == kFitSplit) ++out_.items_fit;
    }
    out_.items_test = c_.size();
    out_.seed = options_.seed;
    out_.resamples = options_.resamples;
    out_.measures = c_.measures;
    out_.notes = c_.notes;
    out_.sets = c_.sets;
    out_.calibrators = c_.calibrators;
    out_.chosen = c_.chosen;
    out_.chosen_by = c_.chosen_by;
    for (const Contestant& c : c_.contestants) {
      const bool bare =
          c.entry.role == Role::kMember && c.parts.size() == 1 && c.parts.front() == c.entry.name;
      if (bare) out_.members.push_back(c.entry.name);
      if (!bare && c.entry.role != Role::kOracle) ++out_.tried;
    }
  }

  void count_steps() {
    for (const Contestant& c : c_.contestants) {
      ++steps_;
      if (c.entry.role == Role::kStrategy) steps_ += 2;
    }
  }
  void step() {
    if (options_.progress) options_.progress(++done_, steps_);
  }

  measures::BootstrapOptions bootstrap(int most) const {
    measures::BootstrapOptions o;
    o.resamples = std::min(options_.resamples, most);
    o.seed = options_.seed;
    return o;
  }

  // Too few clusters for a bootstrap: the value stands alone.
  bool can_resample() const { return out_.clusters >= 2; }

  static Estimate of(const measures::Interval& i) { return {i.estimate, i.low, i.high}; }

  Status estimate(const Contestant& contestant) {
    TableEntry entry = contestant.entry;
    for (const MeasureInfo& m : c_.measures) {
      Estimate e;
      e.value = measured(c_, contestant, m.name, everything_);
      if (std::isfinite(e.value) && can_resample()) CONSORT_CHECK_OK(resample(contestant, m.name, e));
      entry.measures.push_back(e);
    }
    out_.entries.push_back(std::move(entry));
    step();
    return {};
  }

  Status resample(const Contestant& contestant, const std::string& measure, Estimate& e) {
    const auto items = contestant.items.find(measure);
    if (items != contestant.items.end() && items->second.weights.empty()) {
      CONSORT_TRY(i, measures::bootstrap_mean(items->second.sums, clusters_, bootstrap(options_.resamples)));
      e = of(i);
      return {};
    }
    const bool group = items == contestant.items.end();
    const auto statistic = [&](std::span<const std::size_t> places) {
      return measured(c_, contestant, measure, places);
    };
    auto i = measures::bootstrap_statistic(c_.size(), statistic, clusters_,
                                           bootstrap(group ? kMostGroupResamples : options_.resamples));
    if (i) e = of(*i);  // else: resamples without it (a class that is hardly there); the value stands alone
    return {};
  }

  Status compare() {
    for (const Contestant& contestant : c_.contestants) {
      if (contestant.entry.role != Role::kStrategy) continue;
      for (const auto& [role, rivals] :
           {std::pair{"best member", &c_.best_member}, std::pair{"same compute", &c_.best_control}}) {
        for (const std::string& measure : c_.tested) {
          const auto at = rivals->find(measure);
          if (at == rivals->end()) continue;
          CONSORT_CHECK_OK(compare_with(contestant, *c_.find(at->second), role, measure));
        }
        step();
      }
    }
    return {};
  }

  Status compare_with(const Contestant& a, const Contestant& b, const char* role,
                      const std::string& measure) {
    Comparison c;
    c.entry = a.entry.name;
    c.against = b.entry.name;
    c.role = role;
    c.measure = measure;
    c.entry_value = measured(c_, a, measure, everything_);
    c.against_value = measured(c_, b, measure, everything_);
    c.items = c_.size();
    c.clusters = out_.clusters;
    if (!std::isfinite(c.entry_value) || !std::isfinite(c.against_value) || !can_resample()) return {};
    const auto x = a.items.find(measure), y = b.items.find(measure);
    const bool by_item = x != a.items.end() && y != b.items.end();
    CONSORT_TRY(interval, difference(a, b, measure, by_item));
    c.difference = of(interval);
    c.detectable = interval.standard_error > 0 ? kPowerFactor * interval.standard_error : kUnknown;
    if (!by_item) {
      c.test = "bootstrap";
      c.p = interval.standard_error > 0
                ? 2 * fitting::normal_cdf(-std::abs(interval.estimate) / interval.standard_error)
                : 1;
    } else if (measure == "accuracy" && !clustered()) {
      CONSORT_CHECK_OK(mcnemar(a, b, c));
      if (c.only_entry + c.only_against == 0)  // never differed: as if one more item had
        c.detectable = kPowerFactor / static_cast<double>(c.items);
    } else {
      CONSORT_CHECK_OK(flip_signs(x->second, y->second, c));
    }
    out_.comparisons.push_back(std::move(c));
    return {};
  }

  Result<measures::Interval> difference(const Contestant& a, const Contestant& b, const std::string& measure,
                                        bool by_item) const {
    if (by_item && a.items.at(measure).weights.empty())
      return measures::paired_bootstrap(a.items.at(measure).sums, b.items.at(measure).sums, clusters_,
                                        bootstrap(options_.resamples));
    return measures::bootstrap_statistic(
        c_.size(),
        [&](std::span<const std::size_t> places) {
          return measured(c_, a, measure, places) - measured(c_, b, measure, places);
        },
        clusters_, bootstrap(by_item ? options_.resamples : kMostGroupResamples));
  }

  Status mcnemar(const Contestant& a, const Contestant& b, Comparison& c) const {
    const std::vector<std::uint8_t> x(a.right.begin(), a.right.end()), y(b.right.begin(), b.right.end());
    CONSORT_TRY(test, measures::exact_mcnemar(x, y));
    c.test = "exact McNemar";
    c.p = test.p;
    c.only_entry = test.b;
    c.only_against = test.c;
    return {};
  }

  Status flip_signs(const ItemMeasure& a, const ItemMeasure& b, Comparison& c) const {
    std::vector<double> differences;
    for (std::size_t i = 0; i < a.sums.size(); ++i) differences.push_back(a.sums[i] - b.sums[i]);
    measures::SignFlipOptions options;
    options.draws = options_.resamples;
    options.seed = options_.seed;
    CONSORT_TRY(test, measures::sign_flip_test(differences, clusters_, options));
    c.test = clustered() ? "permutation of groups" : "permutation";
    c.p = test.p;
    return {};
  }

  // Holm over every test made, then verdicts.
  Status correct() {
    if (out_.comparisons.empty()) return {};
    std::vector<double> p;
    for (const Comparison& c : out_.comparisons) p.push_back(c.p);
    CONSORT_TRY(adjusted, measures::holm(p));
    for (std::size_t i = 0; i < adjusted.size(); ++i) {
      Comparison& c = out_.comparisons[i];
      c.p_holm = adjusted[i];
      const MeasureInfo& m = out_.measures[out_.measure(c.measure)];
      const bool good = (c.difference.value > 0) == m.higher_is_better;
      c.verdict = c.p_holm >= kAlpha || c.difference.value == 0 ? "equal" : good ? "better" : "worse";
      c.sentence = sentence(c, m);
    }
    return {};
  }

  std::string sentence(const Comparison& c, const MeasureInfo& m) const {
    const char* points = m.share ? " points" : "";
    const std::string groups = clustered() ? fmt::format(" in {} groups", c.clusters) : std::string();
    std::string out = fmt::format(
        "{}: {} than {} ({}) in {}: {} against {}, {}{} [95 % {}, {}], n = {}{}, {}: p = {}, after Holm {}",
        c.entry, c.verdict, c.against, c.role, c.measure, shown(m, c.entry_value), shown(m, c.against_value),
        shown_difference(m, c.difference.value), points, shown_difference(m, c.difference.low),
        shown_difference(m, c.difference.high), c.items, groups, c.test, shown_p(c.p), shown_p(c.p_holm));
    if (c.verdict == "equal") {
      out.replace(out.find(": equal than "), 13, ": no difference shown to ");
      if (std::isnan(c.detectable)) return out;
      out += fmt::format(
          "; with 80 % power {}{} would have been found",
          m.share ? fmt::format("{:.1f}", 100 * c.detectable) : fmt::format("{:.3f}", c.detectable), points);
    }
    return out;
  }

  void diversity() {
    std::vector<const Contestant*> members;
    for (const std::string& name : out_.members)
      if (const Contestant* c = c_.find(name); !c->right.empty()) members.push_back(c);
    for (std::size_t a = 0; a < members.size(); ++a)
      for (std::size_t b = a + 1; b < members.size(); ++b) add_pair(*members[a], *members[b]);
  }

  void add_pair(const Contestant& a, const Contestant& b) {
    const std::vector<std::uint8_t> x(a.right.begin(), a.right.end()), y(b.right.begin(), b.right.end());
    const auto counts = measures::pair_counts(x, y);
    if (!counts) return;
    const auto d = measures::pair_diversity(*counts);
    if (!d) return;
    out_.diversity.push_back({a.entry.name, b.entry.name, d->disagreement, d->q.value_or(kUnknown),
                              d->kappa.value_or(kUnknown), d->double_fault, d->oracle});
  }

  // Shapley values over the uniform pools of all subsets, where all were measured (few members).
  void member_worth() {
    const std::size_t members = out_.members.size();
    if (members < 2 || c_.subsets.size() + 1 != std::size_t{1} << members) return;
    std::map<std::vector<std::string>, double> values;
    for (const SubsetQuality& s : c_.subsets) values[s.members] = s.value;
    const double sign = c_.measures.front().higher_is_better ? 1 : -1;
    const auto value = [&](std::span<const std::size_t> set) {
      std::vector<std::string> names;
      for (const std::size_t m : set) names.push_back(out_.members[m]);
      return sign * (names.empty() ? c_.nobody : values.at(names));
    };
    const auto shapley = fitting::shapley_values(members, value);
    const auto without = fitting::leave_one_out(members, value);
    if (!shapley || !without) return;
    for (std::size_t m = 0; m < members; ++m)
      out_.worth.push_back({out_.members[m], shapley->values[m], (*without)[m]});
  }

  const Contest& c_;
  const Task& task_;
  const JudgeOptions& options_;
  std::vector<std::int32_t> clusters_;
  std::vector<std::size_t> everything_;
  EvaluationResults out_;
  std::size_t steps_ = 0, done_ = 0;
};

}  // namespace

Result<EvaluationResults> judge(const Contest& contest, const Task& task, const JudgeOptions& options) {
  return Judge(contest, task, options).run();
}

}  // namespace consort
