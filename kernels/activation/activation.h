// Activations of feed-forward blocks. Sources: Shazeer 2020, "GLU Variants Improve Transformer"; Hendrycks
// and Gimpel 2016, "Gaussian Error Linear Units".
#pragma once

#include "kernels/exec/exec.h"

namespace consort {

enum class GateKind : std::uint8_t {
  kSilu,      // x / (1 + e^-x)
  kGeluTanh,  // x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
};

// out = kind(gate) * up. gate, up, out: f32 [tokens, n], row strides free; out may be gate.
void gated_activation(Exec& exec, GateKind kind, TensorView gate, TensorView up, TensorView out);

// x = gelu(x + bias) with the exact GELU, x/2 (1 + erf(x / sqrt 2)). x: f32 [tokens, n] in place; bias: f32
// [n] or an empty view. erf within 2e-7 (Abramowitz and Stegun 7.1.26).
void gelu_erf(Exec& exec, TensorView x, TensorView bias);

enum class Activation : std::uint8_t {
  kQuickGelu,  // x / (1 + e^(-1.702 x)), Hendrycks and Gimpel's first approximation; CLIP
  kGeluTanh,   // as in GateKind
  kGelu,       // exact, as gelu_erf
};
// x = kind(x). x: f32 [tokens, n] in place.
void activate(Exec& exec, Activation kind, TensorView x);

namespace reference {
void activate(Activation kind, TensorView x);
void gated_activation(GateKind kind, TensorView gate, TensorView up, TensorView out);
void gelu_erf(TensorView x, TensorView bias);
}  // namespace reference

}  // namespace consort
