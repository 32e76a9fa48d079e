// StepSignals: how much doubt there is about the next symbol of a combination. Pure functions; any thread.
#pragma once

#include <span>

namespace consort {

struct StepSignals {
  double entropy = 0;       // nats, of the combination
  double margin = 0;        // probability of the first less that of the second
  double disagreement = 0;  // Jensen-Shannon divergence of the members, nats: H(sum w p) - sum w H(p)
  double confidence = 0;    // probability of the first

  StepSignals& operator+=(const StepSignals& more);
  StepSignals operator/(double n) const;
};

// `weights` sum to 1; members of weight 0 are not looked at. `combined`: what they were combined to.
StepSignals measure_step(std::span<const double> combined, std::span<const std::span<const double>> members,
                         std::span<const double> weights);

}  // namespace consort
