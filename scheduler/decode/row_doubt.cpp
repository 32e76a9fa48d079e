#include "scheduler/decode/row_doubt.h"

#include <algorithm>
#include <cmath>

#include "scheduler/decode/byte_weights.h"

namespace consort {

// H = ln Z - sum_i w_i (x_i - top) / Z, with w_i = exp(x_i - top).
RowDoubt row_doubt(std::span<const float> logits, SamplerScratch& scratch) {
  RowDoubt out;
  const double sum = byte_weights(logits, 1.0, scratch);
  if (!(sum > 0)) return out;
  const std::span<const float> weights = scratch.weights;
  const auto top =
      std::max_element(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(logits.size()));
  const auto likeliest = static_cast<std::size_t>(top - weights.begin());
  const float largest = logits[likeliest];
  double moment = 0;
  float second = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float w = weights[i];
    if (!(w > 0)) continue;
    moment += static_cast<double>(w) * static_cast<double>(logits[i] - largest);
    if (i != likeliest) second = std::max(second, w);
  }
  out.entropy = std::max(0.0, std::log(sum) - moment / sum);
  out.first = static_cast<double>(*top) / sum;
  out.second = static_cast<double>(second) / sum;
  out.likeliest = static_cast<TokenId>(likeliest);
  return out;
}

}  // namespace consort
