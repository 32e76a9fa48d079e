// A linear head on frozen embeddings: ridge regression for numbers, logistic regression for classes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "memory/base/status.h"

namespace consort {

enum class ProbeKind : std::uint8_t { kRidge, kLogistic };

// One head: what it says is called `target`. Immutable after fitting or loading; usable from any thread.
struct Probe {
  ProbeKind kind = ProbeKind::kRidge;
  std::string target;  // the name of a column
  double penalty = 0;
  std::vector<std::string> labels;  // logistic: the classes, sorted; ridge: empty
  std::size_t dimension = 0;
  // One row for ridge and two classes (the second class's logit), else one row a class.
  std::vector<float> weights;  // [rows, dimension]
  std::vector<float> bias;     // [rows]

  std::size_t rows() const { return bias.size(); }
  // Ridge: one number. Logistic: a probability for each label, summing to 1 (one against the rest: the
  // normalised sigmoids). Errors: kInvalid for another number of values than `dimension` and for values that
  // are not finite.
  Result<std::vector<double>> apply(std::span<const float> embedding) const;
};

}  // namespace consort
