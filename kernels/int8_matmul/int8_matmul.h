// Matrix multiplication out = x W (+ bias) with int8 weights W [K, N] and one scale for the matrix or for
// each output, as in ONNX files with dynamic quantisation. Every row of x is quantised by itself to 16-bit
// integers with one scale; products and sums are exact integers; one rounding to float32 at the end. Results
// are the same bits for any number of rows, neighbours, threads and under every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/exec/exec.h"
#include "kernels/exec/weight_arena.h"
#include "memory/tensor/tensor.h"

namespace consort {

// Points into a WeightArena, owns nothing; cheap to copy. Immutable after pack(), readable from any thread.
class Int8Matrix {
 public:
  static constexpr std::int64_t kMaxCols = 65536;  // K: sums stay inside 32 bits

  Int8Matrix() = default;
  // `weights`: i8 [K, N], contiguous (inputs are rows, as ONNX stores a Linear); it is not needed afterwards.
  // `scales`: 1 or N values, finite. W[k][n] = scale[n] weights[k][n]. Errors: kInvalid for other shapes and
  // scales, kUnsupported for another type, kMemory.
  static Result<Int8Matrix> pack(WeightArena& arena, Exec& exec, TensorView weights,
                                 std::span<const float> scales);

  bool empty() const { return codes_ == nullptr; }
  std::int64_t rows() const { return rows_; }  // outputs N
  std::int64_t cols() const { return cols_; }  // inputs K
  std::size_t bytes() const { return bytes_; }
  const std::uint8_t* codes() const { return codes_; }  // tiles of 16 outputs (kernel.h)
  const float* scales() const { return scales_; }       // one for each output, padded with 0 to whole tiles
  float value(std::int64_t output, std::int64_t input) const;

 private:
  const std::uint8_t* codes_ = nullptr;
  const float* scales_ = nullptr;
  std::int64_t rows_ = 0, cols_ = 0;
  std::size_t bytes_ = 0;
};

// One product of a batch over the same activations (q, k and v).
struct Int8Job {
  const Int8Matrix* weights = nullptr;
  TensorView out;               // f32 [M, N]; rows may be strided, columns are contiguous
  const float* bias = nullptr;  // N values added to every row, or none
};

// For every job: out[m][n] = sum over k of x[m][k] W[k][n] (+ bias[n]). x: f32 [M, K], rows may be strided;
// it is quantised once for all jobs. Takes scratch (2 bytes a value of x). REQUIRES: K equal to every job's
// weights->cols(); no out overlaps x or another out. A row with a value that is not finite gives NaN in all
// of its outputs and harms no other row.
void int8_matmul(Exec& exec, TensorView x, std::span<const Int8Job> jobs);

namespace reference {
// In double, rounded once. bound[m][n]: half a step of the row's 16-bit integers against the weights'
// absolute sum, and a few roundings of the result. Shapes: x f32 [M, K]; expected, bound: M N floats.
void int8_matmul(TensorView x, const Int8Matrix& w, const float* bias, float* expected, float* bound);
}  // namespace reference

}  // namespace consort
