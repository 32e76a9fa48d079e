#include "agents/ensemble/fitting/temperature.h"

#include <algorithm>
#include <cmath>

#include "agents/ensemble/fitting/checks.h"

namespace consort::fitting {
namespace {

constexpr double kLeast = 0.05, kMost = 20;
constexpr int kSteps = 40;  // the bracket shrinks to 3e-8 of ln T

// ln sum exp(row * scale)
double log_total(std::span<const double> row, double scale) {
  const double top = *std::max_element(row.begin(), row.end()) * scale;
  double sum = 0;
  for (const double v : row) sum += std::exp(v * scale - top);
  return top + std::log(sum);
}

double nll_at(const MatrixView& logits, std::span<const std::int32_t> truth, double temperature) {
  const double scale = 1 / temperature;
  double sum = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const auto row = logits.row(i);
    sum += log_total(row, scale) - row[static_cast<std::size_t>(truth[i])] * scale;
  }
  return sum / static_cast<double>(truth.size());
}

}  // namespace

Result<Temperature> fit_temperature(MatrixView logits, std::span<const std::int32_t> truth) {
  CONSORT_CHECK_OK(check_matrix(logits, "logits"));
  CONSORT_CHECK_OK(check_labels(truth, logits.rows(), logits.columns));
  const auto loss = [&](double log_t) { return nll_at(logits, truth, std::exp(log_t)); };
  const double golden = (std::sqrt(5.0) - 1) / 2;
  const double start = std::log(kLeast), end = std::log(kMost);
  double low = start, high = end;
  double left = high - golden * (high - low), right = low + golden * (high - low);
  double at_left = loss(left), at_right = loss(right);
  for (int step = 0; step < kSteps; ++step) {
    if (at_left <= at_right) {
      high = right;
      right = left;
      at_right = at_left;
      left = high - golden * (high - low);
      at_left = loss(left);
    } else {
      low = left;
      left = right;
      at_left = at_right;
      right = low + golden * (high - low);
      at_right = loss(right);
    }
  }
  const double best = 0.5 * (low + high);
  constexpr double kEdge = 1e-5;
  Temperature made;
  made.temperature = std::exp(best);
  made.at_edge = best - start < kEdge || end - best < kEdge;
  made.nll_before = loss(0);
  made.nll_after = loss(best);
  return made;
}

Result<Matrix> apply_temperature(MatrixView logits, double temperature) {
  CONSORT_CHECK_OK(check_matrix(logits, "logits"));
  if (!(temperature > 0) || !std::isfinite(temperature)) {
    return fail(ErrorKind::kInvalid, "a temperature must be above 0 and finite");
  }
  Matrix out(logits.rows(), logits.columns);
  const double scale = 1 / temperature;
  for (std::size_t i = 0; i < logits.rows(); ++i) {
    const double total = log_total(logits.row(i), scale);
    for (std::size_t c = 0; c < logits.columns; ++c) out.at(i, c) = logits.at(i, c) * scale - total;
  }
  return out;
}

}  // namespace consort::fitting
