// Vector scaling: a factor and an offset a class (Guo et al. 2017). More parameters than temperature: worth
// it with hundreds of items a class, where classes are off by different amounts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct VectorScaling {
  std::vector<double> factor, offset;  // a class; scaled logit k = factor_k * logit_k + offset_k
  double nll_before = 0,
         nll_after = 0;  // nats an item, at factor 1 and offset 0, and as fitted; without the penalty
  int iterations = 0;
  bool converged = false;
  // ln p, row by row. Errors: kInvalid for another number of classes, values that are not finite.
  Result<Matrix> apply(MatrixView logits) const;
};

// Minimises sum_i -ln softmax(factor * logits + offset)[truth] + penalty / 2 * (|factor - 1|^2 + |offset|^2)
// by Newton's method; the penalty pulls to "leave it" and makes the minimum unique. logits: [items, classes];
// truth: [items]. Errors: kInvalid for no items, values that are not finite, wrong labels, a penalty that is
// not positive.
Result<VectorScaling> fit_vector_scaling(MatrixView logits, std::span<const std::int32_t> truth,
                                         double penalty = 1);

}  // namespace consort::fitting
