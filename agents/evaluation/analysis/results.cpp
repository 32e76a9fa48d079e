#include "agents/evaluation/analysis/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "agents/evaluation/table/table_export.h"

namespace consort {
namespace {

Value number(double v) {
  return std::isfinite(v) ? Value(v) : Value();
}
std::string cell(double v) {
  return std::isfinite(v) ? fmt::format("{}", v) : std::string();
}

Value texts(const std::vector<std::string>& list) {
  Value::Array out(list.begin(), list.end());
  return Value::array(std::move(out));
}

Value estimate(const Estimate& e) {
  return Value::object({{"value", number(e.value)}, {"low", number(e.low)}, {"high", number(e.high)}});
}

Value entry_value(const EvaluationResults& r, const TableEntry& e) {
  Value::Object measures;
  for (std::size_t i = 0; i < e.measures.size(); ++i)
    if (std::isfinite(e.measures[i].value))
      measures.emplace_back(r.measures[i].name, estimate(e.measures[i]));
  return Value::object({{"name", e.name},
                        {"role", role_name(e.role)},
                        {"how", e.how},
                        {"parameters", e.parameters},
                        {"best_for", texts(e.best_for)},
                        {"measures", Value::object(std::move(measures))},
                        {"fit_score", number(e.fit_score)},
                        {"tokens_per_item", number(e.tokens)},
                        {"flop_per_item", number(e.flop)}});
}

Value comparison_value(const Comparison& c) {
  return Value::object({{"entry", c.entry},
                        {"against", c.against},
                        {"role", c.role},
                        {"measure", c.measure},
                        {"entry_value", number(c.entry_value)},
                        {"against_value", number(c.against_value)},
                        {"difference", estimate(c.difference)},
                        {"test", c.test},
                        {"p", number(c.p)},
                        {"p_holm", number(c.p_holm)},
                        {"items", c.items},
                        {"clusters", c.clusters},
                        {"only_entry_right", c.only_entry},
                        {"only_against_right", c.only_against},
                        {"detectable_difference", number(c.detectable)},
                        {"verdict", c.verdict},
                        {"sentence", c.sentence}});
}

Value diversity_value(const PairDiversity& d) {
  return Value::object({{"a", d.a},
                        {"b", d.b},
                        {"disagreement", number(d.disagreement)},
                        {"q", number(d.q)},
                        {"kappa", number(d.kappa)},
                        {"double_fault", number(d.double_fault)},
                        {"either_right", number(d.either_right)}});
}

Value sets_value(const PredictionSets& s) {
  return Value::object({{"contestant", s.contestant},
                        {"score", s.score},
                        {"miss_rate", kSetMissRate},
                        {"calibration_items", s.calibration_items},
                        {"threshold", number(s.threshold)},
                        {"coverage", number(s.coverage)},
                        {"expected_low", number(s.band_low)},
                        {"expected_high", number(s.band_high)},
                        {"mean_size", number(s.mean_size)},
                        {"single", number(s.single)},
                        {"empty", number(s.empty)},
                        {"worst_class", number(s.worst_class)}});
}

Value calibrator_value(const CalibratorResult& c) {
  return Value::object({{"contestant", c.contestant},
                        {"way", c.way},
                        {"nll", number(c.nll)},
                        {"brier", number(c.brier)},
                        {"ece", number(c.ece)},
                        {"ece_debiased", number(c.ece_debiased)}});
}

template <typename T, typename F>
Value list_of(const std::vector<T>& items, const F& each) {
  Value::Array out;
  for (const T& item : items) out.push_back(each(item));
  return Value::array(std::move(out));
}

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kMember:
      return "member";
    case Role::kStrategy:
      return "strategy";
    case Role::kControl:
      return "control";
    case Role::kOracle:
      return "oracle";
  }
  return "";
}

const TableEntry* EvaluationResults::find(std::string_view name) const {
  const auto at =
      std::find_if(entries.begin(), entries.end(), [&](const TableEntry& e) { return e.name == name; });
  return at == entries.end() ? nullptr : &*at;
}

std::size_t EvaluationResults::measure(std::string_view name) const {
  const auto at =
      std::find_if(measures.begin(), measures.end(), [&](const MeasureInfo& m) { return m.name == name; });
  return static_cast<std::size_t>(at - measures.begin());
}

Value to_value(const EvaluationResults& r) {
  const Value measures = list_of(r.measures, [](const MeasureInfo& m) {
    return Value::object(
        {{"name", m.name}, {"higher_is_better", m.higher_is_better}, {"meaning", m.meaning}});
  });
  return Value::object(
      {{"task", Value::object({{"name", r.task},
                               {"kind", r.kind},
                               {"description", r.description},
                               {"licence", r.licence},
                               {"source", r.source},
                               {"digest", r.digest}})},
       {"items", Value::object({{"train", r.items_train},
                                {"fit", r.items_fit},
                                {"test", r.items_test},
                                {"test_clusters", r.clusters}})},
       {"seed", r.seed},
       {"resamples", r.resamples},
       {"members", texts(r.members)},
       {"measures", measures},
       {"entries", list_of(r.entries, [&](const TableEntry& e) { return entry_value(r, e); })},
       {"comparisons", list_of(r.comparisons, comparison_value)},
       {"prediction_sets", list_of(r.sets, sets_value)},
       {"calibrators", list_of(r.calibrators, calibrator_value)},
       {"diversity", list_of(r.diversity, diversity_value)},
       {"worth", list_of(r.worth,
                         [](const MemberWorth& w) {
                           return Value::object({{"member", w.member},
                                                 {"shapley", number(w.shapley)},
                                                 {"leave_one_out", number(w.leave_one_out)}});
                         })},
       {"chosen", r.chosen.empty() ? Value() : Value(r.chosen)},
       {"chosen_by", r.chosen_by.empty() ? Value() : Value(r.chosen_by)},
       {"variants_tried", r.tried},
       {"tests_made", r.comparisons.size()},
       {"notes", texts(r.notes)}});
}

std::string measures_csv(const EvaluationResults& r) {
  std::string out = "contestant,role,measure,value,low,high,items,tokens_per_item,flop_per_item\r\n";
  for (const TableEntry& e : r.entries)
    for (std::size_t i = 0; i < e.measures.size(); ++i) {
      if (!std::isfinite(e.measures[i].value)) continue;
      out += fmt::format("{},{},{},{},{},{},{},{},{}\r\n", csv_cell(e.name), role_name(e.role),
                         r.measures[i].name, cell(e.measures[i].value), cell(e.measures[i].low),
                         cell(e.measures[i].high), r.items_test, cell(e.tokens), cell(e.flop));
    }
  return out;
}

std::string comparisons_csv(const EvaluationResults& r) {
  std::string out =
      "contestant,against,role,measure,value,against_value,difference,low,high,test,p,p_holm,items,clusters,"
      "only_contestant_right,only_against_right,detectable,verdict\r\n";
  for (const Comparison& c : r.comparisons)
    out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n", csv_cell(c.entry),
                       csv_cell(c.against), c.role, c.measure, cell(c.entry_value), cell(c.against_value),
                       cell(c.difference.value), cell(c.difference.low), cell(c.difference.high), c.test,
                       cell(c.p), cell(c.p_holm), c.items, c.clusters, c.only_entry, c.only_against,
                       cell(c.detectable), c.verdict);
  return out;
}

std::string shown(const MeasureInfo& m, double v) {
  if (!std::isfinite(v)) return "\u2013";
  return m.share ? fmt::format("{:.1f} %", 100 * v) : fmt::format("{:.3f}", v);
}

std::string shown_difference(const MeasureInfo& m, double v) {
  if (!std::isfinite(v)) return "\u2013";
  return m.share ? fmt::format("{:+.1f}", 100 * v) : fmt::format("{:+.3f}", v);
}

std::string shown_p(double p) {
  if (!std::isfinite(p)) return "\u2013";
  if (p < 1e-4) return "< 0.0001";
  return p < 0.0995 ? fmt::format("{:.2g}", p) : fmt::format("{:.2f}", p);
}

}  // namespace consort
