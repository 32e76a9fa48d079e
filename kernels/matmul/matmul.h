// Matrix multiplication out = x W^T (+ bias) with weights packed once at load. One arithmetic for decode and
// prefill: an output depends only on its own row of x and its own row of W, never on the number of rows, on
// the neighbours in a batch, on the number of threads or on the instruction set (bit for bit).
//
// Block formats (Q4_0 ... Q6_K): every row of x is quantised in blocks of 32 to 16-bit integers with one
// float32 scale; dot products inside a group (32, or 16 where the format has 16 weights a scale) are exact
// integers; the groups are added in float32 with fused multiply-add in the order of k. Relative error of the
// activations about 2e-5. set_activation() chooses other arithmetics for a matrix: 8-bit integers, bfloat16 or
// float32 (then weights are decoded to float32: fused multiply-add over k in increasing order). Plain formats (F32, F16, BF16): float32 fused multiply-add over k in increasing
// order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/exec/exec.h"
#include "kernels/exec/weight_arena.h"
#include "kernels/matmul/activation_format.h"
#include "memory/tensor/tensor.h"

namespace consort {

// The lay-out that PackedMatrix::pack() writes and from_packed() reads, written into files of packed weights.
// Raise it with every change of a packed byte; matmul_test pins the bytes of each type to the number.
inline constexpr std::uint32_t kPackedMatrixLayout = 1;

// Weights W [rows, cols] in the interleaved layout of layout.h: tiles of 16 rows, values as exact as in the
// file and as many bits (scales included) as the file has, give or take 6 % (Q3_K 30 %, Q2_K 95 % more).
// Points into a WeightArena, owns nothing; cheap to copy. Immutable after pack(), readable from any thread.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  // `weights`: [rows, cols] or [cols], contiguous, in the file's type (f32, f16, bf16 or any block format);
  // it may lie in a mapped file and is not needed afterwards. Runs on exec.threads. Errors: kUnsupported for
  // other types, kInvalid for empty or misshapen views, kMemory from the arena.
  static Result<PackedMatrix> pack(WeightArena& arena, Exec& exec, TensorView weights);
  // The matrix whose packed bytes, data() and bytes() of an earlier pack(), lie at `packed` and stay there.
  // Any bytes are safe to compute with. Errors: kInvalid when they are not as many as such a matrix has, or
  // not aligned to 64.
  static Result<PackedMatrix> from_packed(std::span<const std::byte> packed, DType dtype, std::int64_t rows,
                                          std::int64_t cols);
  // Bytes pack() will take for such a matrix (0 for types that it refuses).
  static std::size_t packed_bytes(DType dtype, std::int64_t rows, std::int64_t cols);

  bool empty() const { return data_ == nullptr; }
  std::int64_t rows() const { return rows_; }  // outputs N
  std::int64_t cols() const { return cols_; }  // inputs K
  DType dtype() const { return dtype_; }       // of the file
  std::size_t bytes() const { return bytes_; }
  const std::byte* data() const { return data_; }

  // What matmul() makes of x for this matrix; no meaning for plain formats.
  ActivationFormat activation() const { return activation_; }
  void set_activation(ActivationFormat a) { activation_ = a; }

  // Row `row` as float32, bit-equal to decoding the file's row (a tied embedding reads its rows from here).
  // REQUIRES: 0 <= row < rows(); out.size() == cols().
  void dequantize_row(std::int64_t row, std::span<float> out) const;

 private:
  const std::byte* data_ = nullptr;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
  std::size_t bytes_ = 0;
  DType dtype_ = DType::kF32;
  ActivationFormat activation_ = ActivationFormat::kInt16;
};

// One product of a batch over the same activations (q, k and v; gate and up).
struct MatmulJob {
  const PackedMatrix* weights = nullptr;  // [N, K]
  TensorView out;                         // f32 [M, N]; rows may be strided, columns are contiguous
  const float* bias = nullptr;            // N values added to every row, or none
};

// For every job: out[m][n] = sum over k of x[m][k] W[n][k] (+ bias[n]). x: f32 [M, K], rows may be strided.
// x is quantised once for all jobs. Takes scratch from exec.scratch (about 2 M K bytes + 64 KiB a thread).
// REQUIRES: K equal to every job's weights->cols(); block formats of one activation(); no out overlaps x or another out. A row of x with a value
// that is not finite gives NaN or infinity in its outputs (never a normal-looking number) and harms no other
// row.
void matmul(Exec& exec, TensorView x, std::span<const MatmulJob> jobs);

// The same for one matrix.
inline void matmul(Exec& exec, TensorView x, const PackedMatrix& weights, TensorView out,
                   const float* bias = nullptr) {
  const MatmulJob job{&weights, out, bias};
  matmul(exec, x, std::span<const MatmulJob>(&job, 1));
}

}  // namespace consort
