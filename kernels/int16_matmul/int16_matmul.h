// Matrix multiplication out = x W^T (+ bias) in 16-bit integers, for int8 weights of ONNX files (kept exactly)
// and for float weights (rounded once, when they are packed). Every row of x is quantised by itself, a piece
// of 128 inputs at a time, to 15-bit integers (sign included) with one scale a piece; products and sums inside
// a piece are exact integers, the pieces are added in float32 in the order of k. Results are the same bits for
// any number of rows, neighbours, threads and under every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/exec/exec.h"
#include "kernels/exec/weight_arena.h"
#include "memory/tensor/tensor.h"

namespace consort {

// The lay-out that packing writes and from_packed() reads. Raise it with every change of a packed byte;
// int16_matmul_test pins the bytes to the number.
inline constexpr std::uint32_t kInt16MatrixLayout = 1;

// Points into a WeightArena, owns nothing; cheap to copy. Immutable after packing, readable from any thread.
class Int16Matrix {
 public:
  Int16Matrix() = default;
  // `weights`: i8 [K, N], contiguous (inputs are rows, as ONNX stores a Linear); it is not needed afterwards.
  // `scales`: 1 or N values, finite. W[n][k] = scale[n] weights[k][n]. Errors: kInvalid for other shapes and
  // scales, kUnsupported for another type, kMemory.
  static Result<Int16Matrix> pack_codes(WeightArena& arena, Exec& exec, TensorView weights,
                                        std::span<const float> scales);
  // `weights`: f32, f16 or bf16 [N, K], contiguous. Every output gets one scale, as small as the 32-bit sums
  // allow: with the weights of a trained layer a value keeps 12 to 13 bits. Errors: kInvalid for other shapes
  // and values that are not finite, kUnsupported for another type, kMemory.
  static Result<Int16Matrix> pack(WeightArena& arena, Exec& exec, TensorView weights);

  // The matrix whose bytes, data() and bytes() of an earlier packing, lie at `packed` and stay there. Errors:
  // kInvalid when they are not as many as such a matrix has, or not aligned to 64.
  static Result<Int16Matrix> from_packed(std::span<const std::byte> packed, std::int64_t rows,
                                         std::int64_t cols);

  bool empty() const { return codes_ == nullptr; }
  const std::byte* data() const { return reinterpret_cast<const std::byte*>(codes_); }  // codes, then scales
  std::int64_t rows() const { return rows_; }  // outputs N
  std::int64_t cols() const { return cols_; }  // inputs K
  std::size_t bytes() const { return bytes_; }
  const std::int16_t* codes() const { return codes_; }  // tiles of 16 outputs (kernel.h)
  const float* scales() const { return scales_; }       // one for each output, padded with 0 to whole tiles
  float value(std::int64_t output, std::int64_t input) const;

 private:
  // Where packing writes.
  struct Place {
    std::int16_t* codes;
    float* scales;
  };
  Result<Place> take(WeightArena& arena, std::int64_t rows, std::int64_t cols);

  const std::int16_t* codes_ = nullptr;
  const float* scales_ = nullptr;
  std::int64_t rows_ = 0, cols_ = 0;
  std::size_t bytes_ = 0;
};

// One product of a batch over the same activations (q, k and v).
struct Int16Job {
  const Int16Matrix* weights = nullptr;
  TensorView out;               // f32 [M, N]; rows may be strided, columns are contiguous
  const float* bias = nullptr;  // N values added to every row, or none
};

// For every job: out[m][n] = sum over k of x[m][k] W[n][k] (+ bias[n]). x: f32 [M, K], rows may be strided;
// it is quantised once for all jobs. Takes scratch (2 bytes a value of x). REQUIRES: K equal to every job's
// weights->cols(); no out overlaps x or another out. A row with a value that is not finite gives NaN in all
// of its outputs and harms no other row.
void int16_matmul(Exec& exec, TensorView x, std::span<const Int16Job> jobs);

namespace reference {
// In double, rounded once. bound[m][n]: half a step of the pieces' integers against the weights' absolute sum,
// and a few roundings of the result. Shapes: x f32 [M, K]; expected, bound: M N floats.
void int16_matmul(TensorView x, const Int16Matrix& w, const float* bias, float* expected, float* bound);
}  // namespace reference

}  // namespace consort
