#include "kernels/int16_matmul/int16_matmul.h"

#include <algorithm>
#include <cassert>

#include "kernels/int16_matmul/kernel.h"

namespace consort {
namespace {

using namespace int16_matmul_detail;

constexpr std::int64_t kBlockBytes = 256 << 10;  // of a step's codes of x: half of a small second cache
constexpr std::int64_t kBlockTiles = 8;          // a step's outputs: at most 128
constexpr std::int64_t kFewTiles = 2;            // and at least 32
constexpr std::int64_t kFewRows = 24;            // up to these: short steps, so that all threads have work
// Steps a thread, if outputs suffice: with three for two threads one would wait for a third of the time.
constexpr std::int64_t kStepsAThread = 8;

std::int64_t tiles_of(std::int64_t outputs) {
  return (outputs + kTile - 1) / kTile;
}
std::int64_t row_stride(const TensorView& v) {
  return v.rank >= 2 ? v.strides[static_cast<std::size_t>(v.rank - 2)] : v.cols();
}

Rows quantise(Exec& exec, TensorView x) {
  const std::int64_t rows = x.rows(), cols = x.cols(), stride = row_stride(x);
  const std::int64_t code_stride = (cols + 31) / 32 * 32, pieces = (cols + kPiece - 1) / kPiece;
  const std::span codes =
      exec.scratch.take_array<std::int16_t>(static_cast<std::size_t>((rows + kPanelRows - 1) * code_stride));
  std::fill(codes.end() - (kPanelRows - 1) * code_stride, codes.end(), std::int16_t{0});
  const std::span scales = exec.scratch.take_array<float>(static_cast<std::size_t>(rows * pieces));
  const auto grain =
      static_cast<std::size_t>(std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, cols)));
  exec.threads.parallel_for(
      static_cast<std::size_t>(rows), grain, [&](std::size_t begin, std::size_t end, int) {
        for (auto m = static_cast<std::int64_t>(begin); m < static_cast<std::int64_t>(end); ++m) {
          const QuantiseArgs args{x.as<float>() + m * stride, cols, codes.data() + m * code_stride,
                                  scales.data() + m * pieces};
          CONSORT_ISA_CALL(exec.isa, int16_quantise_row, args);
        }
      });
  return {codes.data(), code_stride, scales.data(), pieces, rows};
}

// A block of rows times a block of tiles of one job.
struct Step {
  const Int16Job* job = nullptr;
  std::int64_t first_row = 0, rows = 0, first_tile = 0, tiles = 0;
};

void run_step(Isa isa, const Rows& all, const Step& step) {
  const Int16Matrix& w = *step.job->weights;
  const std::int64_t stride = row_stride(step.job->out);
  Rows x = all;
  x.codes += step.first_row * all.stride;
  x.scales += step.first_row * all.scale_stride;
  x.rows = step.rows;
  for (std::int64_t t = step.first_tile; t < step.first_tile + step.tiles; ++t) {
    Tile tile;
    tile.pairs = pairs_of(w.cols());
    tile.codes = w.codes() + t * tile.pairs * 2 * kTile;
    tile.scales = w.scales() + t * kTile;
    tile.bias = step.job->bias ? step.job->bias + t * kTile : nullptr;
    tile.live = static_cast<int>(std::min<std::int64_t>(kTile, w.rows() - t * kTile));
    tile.out = step.job->out.as<float>() + step.first_row * stride + t * kTile;
    tile.out_stride = stride;
    if (t + 1 < step.first_tile + step.tiles) tile.next = tile.codes + tile.pairs * 2 * kTile;
    CONSORT_ISA_CALL(isa, int16_rows_by_tile, x, tile);
  }
}

// How a call is cut into steps: blocks of rows outside, the jobs' blocks of tiles inside.
class Plan {
 public:
  Plan(std::span<const Int16Job> jobs, const Rows& x, int threads)
      : jobs_(jobs), rows_(x.rows), block_tiles_(x.rows <= kFewRows ? kFewTiles : kBlockTiles) {
    // Blocks of equal size, whole panels.
    const std::int64_t most = std::max<std::int64_t>(4, kBlockBytes / (2 * x.stride) / kPanelRows);
    const std::int64_t panels = (rows_ + kPanelRows - 1) / kPanelRows, blocks = (panels + most - 1) / most;
    block_rows_ = (panels + blocks - 1) / blocks * kPanelRows;
    for (;; block_tiles_ /= 2) {
      column_blocks_ = 0;
      for (const Int16Job& job : jobs) column_blocks_ += blocks_of(job);
      if (threads == 1 || block_tiles_ <= kFewTiles || steps() >= kStepsAThread * threads) return;
    }
  }
  std::int64_t steps() const { return (rows_ + block_rows_ - 1) / block_rows_ * column_blocks_; }
  Step at(std::int64_t index) const {
    Step step;
    step.first_row = index / column_blocks_ * block_rows_;
    step.rows = std::min(block_rows_, rows_ - step.first_row);
    std::int64_t column = index % column_blocks_;
    const Int16Job* job = jobs_.data();
    for (; column >= blocks_of(*job); ++job) column -= blocks_of(*job);
    step.job = job;
    step.first_tile = column * block_tiles_;
    step.tiles = std::min(block_tiles_, tiles_of(job->weights->rows()) - step.first_tile);
    return step;
  }

 private:
  std::int64_t blocks_of(const Int16Job& job) const {
    return (tiles_of(job.weights->rows()) + block_tiles_ - 1) / block_tiles_;
  }

  std::span<const Int16Job> jobs_;
  std::int64_t rows_, block_tiles_, block_rows_ = 0, column_blocks_ = 0;
};

}  // namespace

void int16_matmul(Exec& exec, TensorView x, std::span<const Int16Job> jobs) {
  if (jobs.empty() || x.rows() == 0) return;
  for ([[maybe_unused]] const Int16Job& job : jobs)
    assert(job.weights->cols() == x.cols() && job.out.rows() == x.rows() &&
           job.out.cols() == job.weights->rows());
  const ScratchArena::Mark mark(exec.scratch);
  const Rows rows = quantise(exec, x);
  const Plan plan(jobs, rows, exec.threads.size());
  exec.threads.parallel_for(static_cast<std::size_t>(plan.steps()), 1,
                            [&](std::size_t begin, std::size_t end, int) {
                              for (std::size_t i = begin; i < end; ++i)
                                run_step(exec.isa, rows, plan.at(static_cast<std::int64_t>(i)));
                            });
}

}  // namespace consort
