#include "kernels/int8_matmul/int8_matmul.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "kernels/int8_matmul/kernel.h"

namespace consort {
namespace {

using namespace int8_matmul_detail;

constexpr std::int64_t kBlockPanels = 32;  // a step's rows: 192, whose codes and outputs fit the second cache
constexpr std::int64_t kBlockTiles = 8;    // a step's outputs: 128

std::int64_t groups_of(std::int64_t cols) {
  return (cols + 3) / 4;
}
std::int64_t tiles_of(std::int64_t rows) {
  return (rows + kTile - 1) / kTile;
}

struct Activations {
  std::int8_t* panels = nullptr;
  RowScale* scales = nullptr;
  std::int64_t panel_bytes = 0;
};

Activations quantise(Exec& exec, TensorView x) {
  const std::int64_t rows = x.rows(), cols = x.cols();
  const std::int64_t stride = x.rank >= 2 ? x.strides[static_cast<std::size_t>(x.rank - 2)] : cols;
  const std::int64_t panels = (rows + kPanelRows - 1) / kPanelRows;
  Activations a;
  a.panel_bytes = groups_of(cols) * kGroupBytes;
  a.panels = exec.scratch.take_array<std::int8_t>(static_cast<std::size_t>(panels * a.panel_bytes)).data();
  a.scales = exec.scratch.take_array<RowScale>(static_cast<std::size_t>(panels * kPanelRows)).data();
  exec.threads.parallel_for(
      static_cast<std::size_t>(rows), 4 * kPanelRows, [&](std::size_t begin, std::size_t end, int) {
        for (auto m = static_cast<std::int64_t>(begin); m < static_cast<std::int64_t>(end); ++m) {
          const QuantiseArgs args{x.as<float>() + m * stride, cols,
                                  a.panels + m / kPanelRows * a.panel_bytes + m % kPanelRows * 8,
                                  a.scales + m};
          CONSORT_ISA_CALL(exec.isa, int8_quantise_row, args);
        }
      });
  return a;
}

// A block of panels times a block of tiles of one job.
struct Step {
  const Int8Job* job;
  std::int64_t first_panel, panels, first_tile, tiles;
};

void run_step(Isa isa, const Activations& a, std::int64_t rows, const Step& step) {
  const Int8Matrix& w = *step.job->weights;
  const TensorView& out = step.job->out;
  const std::int64_t groups = groups_of(w.cols());
  const std::int64_t stride =
      out.rank >= 2 ? out.strides[static_cast<std::size_t>(out.rank - 2)] : out.cols();
  for (std::int64_t t = step.first_tile; t < step.first_tile + step.tiles; t += kStepTiles) {
    Tiles tiles;
    tiles.codes = w.codes() + t * groups * 64;
    tiles.groups = groups;
    tiles.scales = w.scales() + t * kTile;
    tiles.bias = step.job->bias ? step.job->bias + t * kTile : nullptr;
    tiles.live = static_cast<int>(std::min<std::int64_t>(kStepTiles * kTile, w.rows() - t * kTile));
    tiles.tiles = tiles.live > kTile ? 2 : 1;
    tiles.out_stride = stride;
    for (std::int64_t p = step.first_panel; p < step.first_panel + step.panels; ++p) {
      tiles.out = out.as<float>() + p * kPanelRows * stride + t * kTile;
      const Panel panel{a.panels + p * a.panel_bytes, a.scales + p * kPanelRows,
                        static_cast<int>(std::min<std::int64_t>(kPanelRows, rows - p * kPanelRows))};
      CONSORT_ISA_CALL(isa, int8_panel_by_tiles, panel, tiles);
    }
  }
}

}  // namespace

Result<Int8Matrix> Int8Matrix::pack(WeightArena& arena, Exec& exec, TensorView weights,
                                    std::span<const float> scales) {
  if (weights.dtype != DType::kI8)
    return fail(ErrorKind::kUnsupported, "weights " + describe(weights) + " are not int8");
  if (weights.rank != 2 || !weights.contiguous() || weights.data == nullptr || weights.dims[0] < 1 ||
      weights.dims[0] > kMaxCols || weights.dims[1] < 1)
    return fail(ErrorKind::kInvalid, "weights " + describe(weights) + " are not a matrix that fits");
  Int8Matrix m;
  m.cols_ = weights.dims[0];
  m.rows_ = weights.dims[1];
  if (scales.size() != 1 && std::ssize(scales) != m.rows_)
    return fail(ErrorKind::kInvalid, "neither one scale nor one for each output of " + describe(weights));
  for (const float s : scales)
    if (!std::isfinite(s)) return fail(ErrorKind::kInvalid, "a scale is not finite");
  const std::int64_t groups = groups_of(m.cols_), tiles = tiles_of(m.rows_);
  const auto code_bytes = static_cast<std::size_t>(tiles * groups) * 64;
  m.bytes_ = code_bytes + static_cast<std::size_t>(tiles) * kTile * sizeof(float);
  CONSORT_TRY(data, arena.take(m.bytes_));
  auto* codes = reinterpret_cast<std::uint8_t*>(data);
  auto* padded = reinterpret_cast<float*>(data + code_bytes);
  for (std::int64_t n = 0; n < m.rows_; ++n)
    padded[n] = scales[scales.size() == 1 ? 0 : static_cast<std::size_t>(n)];
  const auto* from = weights.as<const std::int8_t>();
  exec.threads.parallel_for(static_cast<std::size_t>(tiles), 1, [&](std::size_t begin, std::size_t end, int) {
    for (auto t = static_cast<std::int64_t>(begin); t < static_cast<std::int64_t>(end); ++t) {
      const std::int64_t live = std::min<std::int64_t>(kTile, m.rows_ - t * kTile);
      for (std::int64_t k = 0; k < m.cols_; ++k)
        for (std::int64_t r = 0; r < live; ++r)
          codes[(t * groups + k / 4) * 64 + 4 * r + k % 4] =
              static_cast<std::uint8_t>(from[k * m.rows_ + t * kTile + r] + 128);
    }
  });
  m.codes_ = codes;
  m.scales_ = padded;
  return m;
}

float Int8Matrix::value(std::int64_t output, std::int64_t input) const {
  const std::int64_t at =
      (output / kTile * groups_of(cols_) + input / 4) * 64 + 4 * (output % kTile) + input % 4;
  return scales_[output] * static_cast<float>(static_cast<int>(codes_[at]) - 128);
}

void int8_matmul(Exec& exec, TensorView x, std::span<const Int8Job> jobs) {
  const std::int64_t rows = x.rows();
  if (jobs.empty() || rows == 0) return;
  const ScratchArena::Mark mark(exec.scratch);
  const Activations a = quantise(exec, x);
  const std::int64_t panels = (rows + kPanelRows - 1) / kPanelRows;
  // Few rows: short steps, so that all threads have work.
  const std::int64_t block_tiles = panels <= 4 ? kStepTiles : kBlockTiles;
  const std::int64_t row_blocks = (panels + kBlockPanels - 1) / kBlockPanels;
  std::int64_t column_blocks = 0;
  for (const Int8Job& job : jobs) {
    assert(job.weights->cols() == x.cols() && job.out.rows() == rows &&
           job.out.cols() == job.weights->rows());
    column_blocks += (tiles_of(job.weights->rows()) + block_tiles - 1) / block_tiles;
  }
  const auto step_at = [&](std::int64_t index) {
    Step step{nullptr, index / column_blocks * kBlockPanels, 0, 0, 0};
    step.panels = std::min(kBlockPanels, panels - step.first_panel);
    std::int64_t column = index % column_blocks;
    for (const Int8Job& job : jobs) {
      const std::int64_t tiles = tiles_of(job.weights->rows());
      const std::int64_t blocks = (tiles + block_tiles - 1) / block_tiles;
      if (column < blocks) {
        step.job = &job;
        step.first_tile = column * block_tiles;
        step.tiles = std::min(block_tiles, tiles - step.first_tile);
        break;
      }
      column -= blocks;
    }
    return step;
  };
  exec.threads.parallel_for(static_cast<std::size_t>(row_blocks * column_blocks), 1,
                            [&](std::size_t begin, std::size_t end, int) {
                              for (std::size_t i = begin; i < end; ++i)
                                run_step(exec.isa, a, rows, step_at(static_cast<std::int64_t>(i)));
                            });
}

}  // namespace consort
