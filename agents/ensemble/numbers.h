// Sums that do not depend on the order of what is summed, and distributions in log space. Private to this
// room.
#pragma once

#include <vector>

namespace consort::ensemble {

// The sum of the values in ascending order: the same for every order of the input.
double ordered_sum(std::vector<double> values);
// ln sum exp(values); -inf for none.
double log_sum_exp(std::vector<double> values);
// values - ln sum exp(values)
std::vector<double> log_softmax(std::vector<double> values);
// Nats; of a distribution given by its logarithms.
double entropy_of_logs(const std::vector<double>& log_probabilities);
// Two scores nearer than this are a tie: rounding must not decide.
inline constexpr double kTieWidth = 1e-10;
double on_grid(double value);

}  // namespace consort::ensemble
