// What a fit says of itself: in the probe's file, on standard output and to people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/probe/fit.h"
#include "models/probe/probe_file.h"
#include "scheduler/value/value.h"

namespace consort {

struct TargetReport {
  ProbeKind kind = ProbeKind::kRidge;
  std::size_t examples = 0, missing = 0;  // fitted on; without a label
  Value classes;                          // class_counts
  Value cross_validation, test;           // scores_value; test is null without one
};

// {label: how many}; null without labels.
Value class_counts(const std::vector<std::string>& labels, const std::vector<std::int32_t>& classes);
// Ridge: {rmse, mae, r2}. Logistic: {accuracy, log_loss, auc}; auc is null unless there are two classes and
// both occur.
Value scores_value(ProbeKind kind, const ProbeScores& scores, const std::vector<std::int32_t>& classes,
                   std::size_t labels);
Value target_value(const Probe& probe, const TargetReport& report);
// Means over the targets that have the score: {cross_validation: {rmse, auc}, test: {...}}.
Value mean_scores(const Value::Array& targets);
// A few lines for a terminal. `report` may be null (a file without one).
std::string probe_report_text(const ProbeFile& file, const Value& report);

}  // namespace consort
