// Sums of rows.
#pragma once

#include "kernels/exec/exec.h"

namespace consort {

// x += y. f32 [tokens, n], row strides free; y may have one row (or rank 1), which is then added to every
// row.
void add(Exec& exec, TensorView x, TensorView y);
// x *= factor. f32 [tokens, n].
void scale(Exec& exec, TensorView x, float factor);

namespace reference {
void add(TensorView x, TensorView y);
}

}  // namespace consort
