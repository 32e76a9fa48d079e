// Root-mean-square norm. Source: Zhang and Sennrich 2019, "Root Mean Square Layer Normalization".
#pragma once

#include "kernels/exec/exec.h"

namespace consort {

// out[r] = x[r] / sqrt(mean(x[r]^2) + eps) * weight, for every row r along the last dimension.
// x, out: f32 [tokens, n] or [tokens, heads, n], outer strides free, last dimension contiguous; out may be x.
// weight: f32 [n]. REQUIRES: same dims, n >= 1. The sum has one order, whatever the threads.
void rms_norm(Exec& exec, TensorView x, TensorView weight, float eps, TensorView out);

// residual += delta, then out = rms_norm(residual): the end of one sub-block and the start of the next.
// residual, delta, out: f32 [tokens, n].
void add_rms_norm(Exec& exec, TensorView residual, TensorView delta, TensorView weight, float eps,
                  TensorView out);

namespace reference {  // the obvious loops, in double: the judge of the parity tests
void rms_norm(TensorView x, TensorView weight, float eps, TensorView out);
}

}  // namespace consort
