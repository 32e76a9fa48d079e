// Layer norm. Source: Ba, Kiros and Hinton 2016, "Layer Normalization".
#pragma once

#include "kernels/exec/exec.h"

namespace consort {

// out[r] = (y - mean(y)) / sqrt(var(y) + eps) * weight + bias with y = x[r] + delta[r] (population variance).
// x, out: f32 [tokens, n]; delta: the same or an empty view (nothing is added); weight, bias: f32 [n].
// out may be x. REQUIRES: n >= 1. The sums have one order, whatever the threads.
void add_layer_norm(Exec& exec, TensorView x, TensorView delta, TensorView weight, TensorView bias, float eps,
                    TensorView out);
inline void layer_norm(Exec& exec, TensorView x, TensorView weight, TensorView bias, float eps,
                       TensorView out) {
  add_layer_norm(exec, x, TensorView{}, weight, bias, eps, out);
}

namespace reference {
void layer_norm(TensorView x, TensorView weight, TensorView bias, float eps, TensorView out);
}

}  // namespace consort
