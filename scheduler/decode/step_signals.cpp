#include "scheduler/decode/step_signals.h"

#include <algorithm>
#include <cmath>

namespace consort {
namespace {

double minus_p_log_p(double p) {
  return p > 0 ? -p * std::log(p) : 0;
}

double entropy(std::span<const double> p) {
  double h = 0;
  for (const double v : p) h += minus_p_log_p(v);
  return h;
}

}  // namespace

StepSignals& StepSignals::operator+=(const StepSignals& more) {
  entropy += more.entropy;
  margin += more.margin;
  disagreement += more.disagreement;
  confidence += more.confidence;
  return *this;
}

StepSignals StepSignals::operator/(double n) const {
  return {entropy / n, margin / n, disagreement / n, confidence / n};
}

StepSignals measure_step(std::span<const double> combined, std::span<const std::span<const double>> members,
                         std::span<const double> weights) {
  StepSignals out;
  double second = 0;
  for (const double p : combined) {
    second = std::max(second, std::min(out.confidence, p));
    out.confidence = std::max(out.confidence, p);
  }
  out.margin = out.confidence - second;
  out.entropy = entropy(combined);
  double within = 0, total = 0;
  for (std::size_t i = 0; i < combined.size(); ++i) {
    double p = 0;
    for (std::size_t m = 0; m < members.size(); ++m)
      if (weights[m] > 0) p += weights[m] * members[m][i];
    total += minus_p_log_p(p);
  }
  for (std::size_t m = 0; m < members.size(); ++m)
    if (weights[m] > 0) within += weights[m] * entropy(members[m]);
  out.disagreement = std::max(0.0, total - within);
  return out;
}

}  // namespace consort
