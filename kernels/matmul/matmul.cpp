#include "kernels/matmul/matmul.h"

#include <algorithm>
#include <cassert>

#include "kernels/matmul/route.h"

namespace consort {
namespace {

using namespace matmul_detail;

constexpr int kQuantTiles = 2;               // tiles unpacked at a time for many rows
constexpr std::int64_t kQuantiseGrain = 64;  // blocks quantised by one claim, about 1 us

struct Task {  // one job with what it needs
  const MatmulJob* job = nullptr;
  const std::uint32_t* corrections = nullptr;
  std::size_t first_step = 0;  // of the batch's steps; a step is a group of neighbouring tiles
  int step_tiles = 1;
};

// One call of matmul(): the batch's plan, then its execution.
class Batch {
 public:
  Batch(Exec& exec, TensorView x, std::span<const MatmulJob> jobs)
      : exec_(exec),
        table_(table_of(exec.isa)),
        x_(x),
        rows_(x.rows()),
        cols_(x.cols()),
        x_stride_(x.rank >= 2 ? x.strides[x.rank - 2] : x.cols()) {
    tasks_ = exec.scratch.take_array<Task>(jobs.size());
    kinds_ = exec.scratch.take_array<CorrectionKind>(jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i) plan(jobs[i], tasks_[i]);
  }

  void run() {
    if (kind_count_ > 0) quantise();
    if (panels_ != nullptr) interleave();
    const std::size_t grain = rows_ == 1 ? 2 : 1;
    exec_.threads.parallel_for(steps_, grain, [&](std::size_t begin, std::size_t end, int worker) {
      for (std::size_t s = begin; s < end; ++s) step(s, worker);
    });
  }

 private:
  bool from_packed() const { return rows_ <= table_.packed_up_to; }

  void plan(const MatmulJob& job, Task& task) {
    assert(job.weights->cols() == cols_ && job.out.rows() == rows_ && job.out.cols() == job.weights->rows());
    const DType type = job.weights->dtype();
    task = Task{&job, nullptr, steps_, is_plain(type) ? table_.plain_tiles : from_packed() ? 1 : kQuantTiles};
    const std::int64_t tiles = (job.weights->rows() + kTile - 1) / kTile;
    steps_ += static_cast<std::size_t>((tiles + task.step_tiles - 1) / task.step_tiles);
    if (is_plain(type)) {
      if (panels_ == nullptr && rows_ > 1 && table_.plain_panel > 1)
        panels_ = exec_.scratch.take_array<float>(static_cast<std::size_t>(rows_ * cols_)).data();
      return;
    }
    if (kind_count_ == 0) quantised_ = take_activations(exec_, rows_, cols_);
    task.corrections = kind_for(pack_format(type)).bits;
    if (!from_packed() && unpacked_.empty()) unpacked_.take(exec_, cols_, table_.unpacked_block, kQuantTiles);
  }

  const CorrectionKind& kind_for(PackFormat f) {
    for (std::size_t i = 0; i < kind_count_; ++i) {
      const CorrectionKind& k = kinds_[i];
      if (k.groups == f.groups && k.affine == f.affine && k.log2_offset == f.log2_offset) return k;
    }
    const auto n = static_cast<std::size_t>(rows_ * quantised_.row_blocks * f.groups);
    CorrectionKind& k = kinds_[kind_count_++];
    k = CorrectionKind{f.groups, f.affine, f.log2_offset, exec_.scratch.take_array<std::uint32_t>(n).data()};
    return k;
  }

  // Work is dealt out by blocks of panels, so that two threads seldom write the same cache line.
  void quantise() {
    const std::int64_t blocks = quantised_.row_blocks, panels = (rows_ + table_.panel - 1) / table_.panel;
    const std::int64_t rows = std::min<std::int64_t>(rows_, table_.panel);
    const auto grain = static_cast<std::size_t>(std::max<std::int64_t>(1, kQuantiseGrain / rows));
    exec_.threads.parallel_for(panels * blocks, grain, [&](std::size_t begin, std::size_t end, int) {
      for (auto at = static_cast<std::int64_t>(begin); at < static_cast<std::int64_t>(end);) {
        const std::int64_t panel = at / blocks, first = at % blocks;
        const std::int64_t last = std::min(blocks, first + static_cast<std::int64_t>(end) - at);
        quantise_panel(panel * table_.panel, first, last);
        at += last - first;
      }
    });
  }

  // Blocks [first, last) of the panel that begins with row `row`.
  void quantise_panel(std::int64_t row, std::int64_t first, std::int64_t last) {
    const std::int64_t at = row * quantised_.row_blocks;
    const auto rows = static_cast<int>(std::min<std::int64_t>(table_.panel, rows_ - row));
    table_.quantise({x_.as<float>() + row * x_stride_, x_stride_, rows, quantised_.blocks + at,
                     quantised_.scales + at, quantised_.sums + 2 * at},
                    first, last);
    for (std::size_t i = 0; i < kind_count_; ++i)
      fill_corrections(kinds_[i], quantised_, at + first * rows, at + last * rows);
  }

  void interleave() {
    const std::int64_t panel = table_.plain_panel;
    exec_.threads.parallel_for((rows_ + panel - 1) / panel, 4, [&](std::size_t begin, std::size_t end, int) {
      for (auto p = static_cast<std::int64_t>(begin); p < static_cast<std::int64_t>(end); ++p)
        table_.interleave({x_.as<float>() + p * panel * x_stride_, x_stride_}, cols_,
                          static_cast<int>(std::min(panel, rows_ - p * panel)), panels_ + p * panel * cols_);
    });
  }

  void step(std::size_t s, int worker) {
    std::size_t i = tasks_.size() - 1;
    while (tasks_[i].first_step > s) --i;
    const Task& task = tasks_[i];
    const MatmulJob& job = *task.job;
    const PackedMatrix& w = *job.weights;
    const std::int64_t first_tile = static_cast<std::int64_t>(s - task.first_step) * task.step_tiles;
    const std::int64_t first = first_tile * kTile;
    const auto live = static_cast<int>(std::min<std::int64_t>(task.step_tiles * kTile, w.rows() - first));
    const std::int64_t out_stride = job.out.rank >= 2 ? job.out.strides[job.out.rank - 2] : job.out.cols();
    const OutTile out{job.out.as<float>() + first, out_stride, live, job.bias ? job.bias + first : nullptr};
    const std::size_t tile_size = tile_bytes(w.dtype(), static_cast<std::size_t>(cols_));
    const auto* tile = reinterpret_cast<const std::uint8_t*>(w.data()) + first_tile * tile_size;
    const int tiles = (live + kTile - 1) / kTile;
    if (is_plain(w.dtype())) {
      const PlainRows rows = panels_ != nullptr ? PlainRows{panels_} : PlainRows{x_.as<float>(), x_stride_};
      table_.plain_rows(w.dtype(), tile, tiles, rows, cols_, rows_, out);
    } else if (from_packed()) {
      table_.packed_rows(w.dtype(), tile, quantised_, task.corrections, rows_, out);
    } else {
      UnpackedTile to[kQuantTiles];
      for (int t = 0; t < tiles; ++t) {
        to[t] = unpacked_.at(worker, t);
        table_.unpack(w.dtype(), tile + t * tile_size, cols_, to[t]);
      }
      table_.unpacked_rows(w.dtype(), to, tiles, quantised_, task.corrections, rows_, out);
    }
  }

  Exec& exec_;
  const KernelTable& table_;
  TensorView x_;
  std::int64_t rows_, cols_, x_stride_;
  std::span<Task> tasks_;
  std::span<CorrectionKind> kinds_;
  std::size_t kind_count_ = 0;
  std::size_t steps_ = 0;
  Activations quantised_;
  float* panels_ = nullptr;  // x for plain formats, where they are multiplied in panels
  UnpackRoom unpacked_;
};

}  // namespace

void matmul(Exec& exec, TensorView x, std::span<const MatmulJob> jobs) {
  if (jobs.empty() || x.rows() == 0) return;
  ScratchArena::Mark mark(exec.scratch);
  Batch(exec, x, jobs).run();
}

}  // namespace consort
