// Figures of an evaluation: each a drawing and the numbers behind it. Pure functions of contest and results.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agents/evaluation/analysis/contest.h"
#include "agents/evaluation/report/drawing.h"

namespace consort {

struct Figure {
  std::string name;  // file name without ending: "reliability"
  std::string title, caption;
  Drawing drawing;
  std::string csv;  // RFC 4180, a header line first
};

// Those that the task's kind has: differences, reliability, risk-coverage, cost-quality, items, weights,
// members.
std::vector<Figure> evaluation_figures(const Contest& contest, const EvaluationResults& results);

// One each; nothing when the contest has no data for it.
std::optional<Figure> differences_figure(const Contest& contest, const EvaluationResults& results);
std::optional<Figure> reliability_figure(const Contest& contest, const EvaluationResults& results);
std::optional<Figure> risk_coverage_figure(const Contest& contest, const EvaluationResults& results);
std::optional<Figure> cost_quality_figure(const Contest& contest, const EvaluationResults& results);
std::optional<Figure> items_figure(const Contest& contest, const EvaluationResults& results);
std::optional<Figure> weights_figure(const Contest& contest, const EvaluationResults& results);
std::optional<Figure> members_figure(const Contest& contest, const EvaluationResults& results);

// Contestants worth a line of their own: the best member, the chosen one, the control, two strategies, then
// members and strategies in the table's order; at most `most`, without the oracle and without members that
// stand there calibrated as well.
std::vector<const Contestant*> featured(const Contest& contest, std::size_t most);
// The class of the i-th series.
std::string series_style(std::size_t i);
// Up to `most` places from 0 to n - 1, ends included.
std::vector<std::size_t> thinned(std::size_t n, std::size_t most);

}  // namespace consort
