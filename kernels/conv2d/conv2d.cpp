#include "kernels/conv2d/conv2d.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "kernels/conv2d/kernel.h"

namespace consort {
namespace {

constexpr std::int64_t kTileLanes = 16;
// Rows of a task: several blocks of 14 (AVX-512) or 6 (AVX2), so that weights in the second-level cache serve
// all; half of them where threads would wait for each other.
constexpr std::int64_t kTaskRows = 84, kShortTaskRows = 42;
constexpr std::int64_t kTasksAThread = 12;
// Weights of a task; a quarter of a second-level cache of 2 MiB stays free for the rows.
constexpr std::int64_t kTaskWeightBytes = 512 << 10;

// How an output of rows x tiles is cut into tasks; cuts change no result.
struct Grid {
  std::int64_t rows, tiles, task_rows, task_tiles, row_tasks;

  Grid(std::int64_t rows, std::int64_t tiles, std::int64_t k, int threads)
      : rows(rows), tiles(tiles), task_rows(kTaskRows) {
    const std::int64_t enough = kTasksAThread * threads;
    if (threads > 1 && rows < enough * kTaskRows) task_rows = kShortTaskRows;
    task_tiles =
        std::clamp<std::int64_t>(kTaskWeightBytes / (k * kTileLanes * 4) / 2 * 2, 2, tiles + tiles % 2);
    row_tasks = (rows + task_rows - 1) / task_rows;
    // Few rows (late layers of one picture): the outputs are dealt out instead, two tiles at least.
    while (threads > 1 && row_tasks * ((tiles + task_tiles - 1) / task_tiles) < enough && task_tiles > 2)
      task_tiles = (task_tiles / 2 + 1) / 2 * 2;
  }
  std::size_t tasks() const {
    return static_cast<std::size_t>(row_tasks * ((tiles + task_tiles - 1) / task_tiles));
  }
};

ConvRows rows_of(const ConvWeights& w, const Grid& grid, std::int64_t row_task, std::int64_t first_tile,
                 ConvActivation activation) {
  ConvRows a;
  const std::int64_t row = row_task * grid.task_rows;
  a.rows = static_cast<std::size_t>(std::min(grid.task_rows, grid.rows - row));
  a.k = static_cast<std::size_t>(w.k());
  a.x_stride = a.k;
  a.weights = w.tile(first_tile);
  a.bias = w.bias() + first_tile * kTileLanes;
  a.tiles = static_cast<std::size_t>(std::min(grid.task_tiles, grid.tiles - first_tile));
  a.outputs = static_cast<std::size_t>(w.outputs() - first_tile * kTileLanes);
  a.out_stride = static_cast<std::size_t>(w.outputs());
  a.activation = activation;
  return a;
}

// The windows of `rows` outputs from `first` on, one after another: [rows][ky][kx][c], zeros outside.
struct Windows {
  TensorView x;
  ConvShape shape;
  std::int64_t out_h, out_w;

  void copy(std::int64_t first, std::int64_t rows, float* to) const {
    const std::int64_t h = x.dims[1], w = x.dims[2], c = x.dims[3];
    for (std::int64_t r = first; r < first + rows; ++r) {
      const std::int64_t n = r / (out_h * out_w), y = r / out_w % out_h, column = r % out_w;
      const std::int64_t x0 = column * shape.stride_w - shape.pad_left;
      const std::int64_t begin = std::clamp<std::int64_t>(-x0, 0, shape.kernel_w);
      const std::int64_t end = std::clamp<std::int64_t>(w - x0, begin, shape.kernel_w);
      for (std::int64_t ky = 0; ky < shape.kernel_h; ++ky, to += shape.kernel_w * c) {
        const std::int64_t in_y = y * shape.stride_h - shape.pad_top + ky;
        if (in_y < 0 || in_y >= h) {
          std::fill_n(to, shape.kernel_w * c, 0.0f);
          continue;
        }
        std::fill_n(to, begin * c, 0.0f);
        if (end > begin)
          std::memcpy(to + begin * c, x.as<float>() + ((n * h + in_y) * w + x0 + begin) * c,
                      static_cast<std::size_t>((end - begin) * c) * sizeof(float));
        std::fill_n(to + end * c, (shape.kernel_w - end) * c, 0.0f);
      }
    }
  }
};

}  // namespace

Result<ConvWeights> ConvWeights::pack(WeightArena& arena, std::span<const float> weights,
                                      std::span<const float> bias) {
  ConvWeights packed;
  if (bias.empty() || weights.size() % bias.size() != 0)
    return fail(ErrorKind::kInvalid, "the weights of a convolution do not fit its biases");
  packed.outputs_ = std::ssize(bias);
  packed.k_ = std::ssize(weights) / packed.outputs_;
  const std::int64_t tiles = (packed.outputs_ + kTileLanes - 1) / kTileLanes;
  CONSORT_TRY(data, arena.take(static_cast<std::size_t>(tiles * kTileLanes * packed.k_) * sizeof(float)));
  CONSORT_TRY(biases, arena.take(static_cast<std::size_t>(tiles * kTileLanes) * sizeof(float)));
  auto* to = reinterpret_cast<float*>(data);
  for (std::int64_t o = 0; o < packed.outputs_; ++o)
    for (std::int64_t k = 0; k < packed.k_; ++k)
      to[(o / kTileLanes * packed.k_ + k) * kTileLanes + o % kTileLanes] =
          weights[static_cast<std::size_t>(o * packed.k_ + k)];
  std::copy(bias.begin(), bias.end(), reinterpret_cast<float*>(biases));
  packed.data_ = to;
  packed.bias_ = reinterpret_cast<const float*>(biases);
  return packed;
}

void conv2d(Exec& exec, TensorView x, const ConvWeights& weights, const ConvShape& shape,
            ConvActivation activation, TensorView residual, TensorView out) {
  assert(x.rank == 4 && out.rank == 4 && out.dims[3] == weights.outputs());
  const std::int64_t rows = out.rows(), tiles = (weights.outputs() + kTileLanes - 1) / kTileLanes;
  if (rows == 0) return;
  const bool pointwise = shape.pointwise();
  Grid grid(rows, tiles, weights.k(), exec.threads.size());
  if (!pointwise) grid.task_tiles = tiles + tiles % 2;  // a window is copied once for all outputs
  const ScratchArena::Mark mark(exec.scratch);
  const Windows windows{x, shape, out.dims[1], out.dims[2]};
  // Of a task: its windows, or its rows in the kernel's order.
  const std::size_t room_floats = static_cast<std::size_t>(kTaskRows * weights.k() + 15) / 16 * 16;
  const std::span<float> room =
      exec.scratch.take_array<float>(room_floats * static_cast<std::size_t>(exec.threads.size()));
  exec.threads.parallel_for(grid.tasks(), 1, [&](std::size_t begin, std::size_t end, int worker) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::int64_t row_task = static_cast<std::int64_t>(i) % grid.row_tasks;
      const std::int64_t first_tile = static_cast<std::int64_t>(i) / grid.row_tasks * grid.task_tiles;
      ConvRows a = rows_of(weights, grid, row_task, first_tile, activation);
      const std::int64_t row = row_task * grid.task_rows;
      const std::int64_t at = row * weights.outputs() + first_tile * kTileLanes;
      a.out = out.as<float>() + at;
      a.residual = residual.data != nullptr ? residual.as<float>() + at : nullptr;
      float* to = room.data() + room_floats * static_cast<std::size_t>(worker);
      if (pointwise) {
        a.x = x.as<float>() + row * weights.k();
        a.room = to;
      } else {
        windows.copy(row, static_cast<std::int64_t>(a.rows), to);
        a.x = to;
      }
      CONSORT_ISA_CALL(exec.isa, conv_rows, a);
    }
  });
}

}  // namespace consort
