// From the rows of a text to one vector. Source: Reimers and Gurevych 2019, "Sentence-BERT", section 3.
#pragma once

#include <span>

#include "kernels/exec/exec.h"

namespace consort {

// out[i] = mean of the rows of text i. x: f32 [tokens, n], texts one after another; lengths sum to tokens,
// each at least 1. out: f32 [texts, n]. Rows are summed in order.
void mean_pool(Exec& exec, TensorView x, std::span<const int> lengths, TensorView out);
// Divides every row by its Euclidean length; a row of zeros stays. x: f32 [rows, n].
void l2_normalise(Exec& exec, TensorView x);

namespace reference {
void mean_pool(TensorView x, std::span<const int> lengths, TensorView out);
void l2_normalise(TensorView x);
}  // namespace reference

}  // namespace consort
