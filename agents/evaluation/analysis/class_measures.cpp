#include "agents/evaluation/analysis/class_measures.h"

#include "agents/evaluation/measures/calibration.h"
#include "agents/evaluation/measures/classification.h"
#include "agents/evaluation/measures/roc.h"
#include "agents/evaluation/measures/selective.h"

namespace consort {
namespace {

using Items = std::span<const std::size_t>;

template <typename T, typename From>
std::vector<T> picked(const std::vector<From>& values, Items items) {
  std::vector<T> out;
  out.reserve(items.size());
  for (const std::size_t i : items) out.push_back(static_cast<T>(values[i]));
  return out;
}

GroupMeasure macro_f1(std::vector<std::size_t> gold, std::size_t classes) {
  return [gold = std::move(gold), classes](const Contestant& c, Items items) {
    if (c.values.empty()) return kUnknown;
    const auto report = measures::f1_report(picked<std::int32_t>(c.values, items),
                                            picked<std::int32_t>(gold, items), classes);
    return report ? report->macro_f1 : kUnknown;
  };
}

GroupMeasure area_under_roc(std::vector<std::size_t> gold) {
  return [gold = std::move(gold)](const Contestant& c, Items items) {
    if (c.log_p.empty()) return kUnknown;
    std::vector<double> scores;
    for (const std::size_t i : items) scores.push_back(c.log_p[i][1] - c.log_p[i][0]);
    const auto area = measures::auroc(scores, picked<double>(gold, items));
    return area ? area->value : kUnknown;
  };
}

GroupMeasure calibration(bool debiased) {
  return [debiased](const Contestant& c, Items items) {
    if (c.log_p.empty()) return kUnknown;
    const auto error = measures::calibration_error(picked<double>(c.confidence, items),
                                                   picked<std::uint8_t>(c.right, items));
    return !error ? kUnknown : debiased ? error->debiased : error->ece;
  };
}

}  // namespace

void add_class_measures(Contest& contest, const Task& task) {
  contest.measures = {
      {"accuracy", true, true, "share of right answers"},
      {"nll", false, false, "mean -ln p(right), nats an item"},
      {"brier", false, false, "mean squared distance of probabilities from the truth, 0 to 2"}};
  contest.tested = {"accuracy", "nll", "brier"};
  if (task.kind == TaskKind::kLabels) {
    contest.measures.push_back({"macroF1", true, true, "mean F1 of the labels"});
    contest.groups["macroF1"] = macro_f1(contest.gold, task.labels.size());
  }
  if (task.kind == TaskKind::kLabels && task.labels.size() == 2) {  // comes first: one label is often rare
    contest.measures.insert(
        contest.measures.begin(),
        {"auroc", true, false, "area under the ROC curve, '" + task.labels[1] + "' positive"});
    contest.groups["auroc"] = area_under_roc(contest.gold);
    contest.tested.insert(contest.tested.begin(), "auroc");
  }
  contest.measures.push_back({"ece", false, true, "expected calibration error, 15 bins of equal mass"});
  contest.measures.push_back({"eceDebiased", false, true, "the same less what chance adds"});
  contest.measures.push_back({"aurc", false, true, "area under the risk-coverage curve"});
  contest.groups["ece"] = calibration(false);
  contest.groups["eceDebiased"] = calibration(true);
  contest.groups["aurc"] = selective_area();
}

GroupMeasure selective_area() {
  return [](const Contestant& c, Items items) {
    if (c.confidence.empty()) return kUnknown;
    std::vector<double> loss;
    for (const std::size_t i : items) loss.push_back(1 - c.right[i]);
    const auto risk = measures::selective_risk(picked<double>(c.confidence, items), loss);
    return risk ? risk->aurc : kUnknown;
  };
}

}  // namespace consort
