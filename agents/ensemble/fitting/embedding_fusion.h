// Embeddings of one thing brought together: several wordings of one prompt, or several encoders (research
// note A5).
#pragma once

#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

// Prompt ensembling (Radford et al. 2021, section 3.1.4): every row brought to length 1, their mean, again of
// length 1. Errors: kInvalid for no rows, values that are not finite, a row of zeros, rows that cancel.
Result<std::vector<double>> unit_mean(MatrixView embeddings);

// [sqrt(w_1) z_1; sqrt(w_2) z_2; ...] with every z of length 1, so that the dot product of two such vectors
// is sum_m w_m cos_m exactly: concatenation is late fusion of cosines. parts: one vector an encoder, any
// dimensions; weights: empty for equal ones, normalised here. Errors: kInvalid for no parts, zeros, values
// that are not finite, wrong weights.
Result<std::vector<double>> weighted_concatenation(std::span<const std::vector<double>> parts,
                                                   std::span<const double> weights = {});

}  // namespace consort::fitting
