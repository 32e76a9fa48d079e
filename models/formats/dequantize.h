// The obvious decoding of every element type into float32: the judge for all packed routes. Bit-equal to
// ggml's dequantisation (the goldens were made with it).
#pragma once

#include <cstddef>

#include "memory/tensor/dtype.h"

namespace consort {

// Decodes `elements` elements (a multiple of the type's block) from `src` into dst[0..elements).
// REQUIRES: src holds row_bytes(type, elements) bytes; integer types other than i8/u8 are not weights.
void dequantize_row(DType type, const void* src, float* dst, std::size_t elements);

}  // namespace consort
