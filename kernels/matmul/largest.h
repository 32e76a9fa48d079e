// Products of which only the largest are wanted: out = x W^T for an output layer with many rows, of which one
// token needs the argmax or the k best. A sketch of W, five bits a weight, is read in full; with a proven
// bound on what it leaves out it says which rows cannot be among the largest, and W itself is read for the
// others only. What is computed is what matmul() computes, bit for bit.
//
// The bound, for row w with sketch v and x rounded to x' (8 bits): |w x - v x'| <= sum over blocks of 32 of
// |w_b - v_b| |x_b| + |v| |x - x'| (Cauchy and Schwarz), plus what float32 sums and matmul's 16-bit
// activations may lose. Source of the idea: bounds before exact products as in maximum inner product search
// (Shrivastava and Li 2014 name the problem; the block-wise residual norms are ours).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/matmul/matmul.h"

namespace consort {

// The lay-out that make() writes and from_packed() reads. Raise it with every change of a byte; a test of
// models/packed pins them to the number.
inline constexpr std::uint32_t kRowSketchLayout = 1;

// Points into a WeightArena, owns nothing; cheap to copy. Immutable after make(), readable from any thread.
class RowSketch {
 public:
  RowSketch() = default;
  // Of packed weights in Q8_0, F32, F16 or BF16 with whole blocks of 32 columns; other types, weights that
  // are not finite or beyond 9e5 give an empty sketch. Takes 0.72 bytes a weight. Errors: kMemory.
  static Result<RowSketch> make(WeightArena& arena, Exec& exec, const PackedMatrix& weights);

  // The sketch whose bytes, tiles() and bytes() of an earlier make(), lie at `packed` and stay there. Errors:
  // kInvalid when they are not as many as a sketch of [rows, cols] has, or not aligned to 64.
  static Result<RowSketch> from_packed(std::span<const std::byte> packed, std::int64_t rows,
                                       std::int64_t cols);

  bool empty() const { return data_ == nullptr; }
  std::size_t bytes() const { return bytes_; }  // of the tiles and behind them the norms
  const std::byte* tiles() const { return data_; }
  const float* norms() const { return norms_; }  // of each row of W, rounded up; padded with 0 to whole tiles

 private:
  const std::byte* data_ = nullptr;
  const float* norms_ = nullptr;
  std::size_t bytes_ = 0;
};

struct LargestWork {
  std::size_t tiles = 0;     // 16 rows of W for one row of x each: in all
  std::size_t computed = 0;  // of them read in full
};

// For every row m of x: out[m][n] is matmul()'s value wherever it may be among the `count` largest of the row
// (ties included); the others are -infinity or exact. x: f32 [M, K]; out: f32 [M, N]. A row of x that is not
// finite is computed whole. The same results for any number of threads. REQUIRES: `sketch` was made of
// `weights`; count >= 1; shapes as for matmul().
LargestWork largest_products(Exec& exec, TensorView x, const PackedMatrix& weights, const RowSketch& sketch,
                             int count, TensorView out);

}  // namespace consort
