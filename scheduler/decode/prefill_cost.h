// PrefillCost: how many prompt tokens fit a step of a given length, by the cost of the steps before. Only the
// length of steps depends on it, never a result. Thread: the lane's.
#pragma once

#include <algorithm>

namespace consort {

class PrefillCost {
 public:
  // `flop_per_token`: the model's, for a guess before anything was measured.
  explicit PrefillCost(double flop_per_token) : ms_per_row_(flop_per_token / kGuessedFlopPerMs) {}

  // A step with prefill was measured. Falls at once, rises by at most a quarter a step: a step that lost its
  // processor for a while says little about the next.
  void measured(int rows, double ms) {
    if (rows < kGroup) return;
    ms_per_row_ = std::min(ms / rows, 1.25 * ms_per_row_ + kLeast);
  }

  // Tokens for a step of about `ms` that also holds `decoding` rows, so that all rows make whole groups (a
  // kernel works on kGroup rows at a time); at least half a group, so that prefill never stands still.
  int tokens(double ms, int decoding, int most) const {
    const double fitting = std::min(ms / std::max(ms_per_row_, kLeast), 1e6);
    const int least = (decoding + kGroup / 2 + kGroup - 1) / kGroup;
    const int groups = std::max(static_cast<int>(fitting / kGroup + 0.5), least);
    return std::min(groups * kGroup - decoding, most);
  }
  double ms_per_row() const { return ms_per_row_; }

 private:
  static constexpr int kGroup = 8;
  static constexpr double kGuessedFlopPerMs = 2e8;  // a step on two cores reaches this
  static constexpr double kLeast = 1e-5;            // ms
  double ms_per_row_;
};

}  // namespace consort
