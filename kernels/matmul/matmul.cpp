#include "kernels/matmul/matmul.h"

#include <algorithm>
#include <cassert>

#include "kernels/matmul/route.h"

namespace consort {
namespace {

using namespace matmul_detail;

constexpr int kQuantTiles = 2;               // tiles unpacked at a time for many rows
constexpr std::int64_t kQuantiseGrain = 64;  // blocks quantised by one claim, about 1 us

bool in_floats(const PackedMatrix& w) {
  return is_plain(w.dtype()) || w.activation() == ActivationFormat::kFloat32 || w.activation() == ActivationFormat::kBf16;
}

float to_bf16(float v) {  // to the nearest, ties to even; not a number stays one
  auto bits = __builtin_bit_cast(std::uint32_t, v);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return v;
  bits += 0x7fffu + (bits >> 16 & 1u);
  return __builtin_bit_cast(float, bits & 0xffff0000u);
}

// x for products in floats: as it stands, and in panels where the route wants them.
struct FloatRows {
  const float* x = nullptr;
  std::int64_t stride = 0;
  float* panels = nullptr;
  PlainRows rows() const { return panels != nullptr ? PlainRows{panels} : PlainRows{x, stride}; }
};

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
    floats_ = {x_.as<float>(), x_stride_};
    tasks_ = exec.scratch.take_array<Task>(jobs.size());
    kinds_ = exec.scratch.take_array<CorrectionKind>(jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i) plan(jobs[i], tasks_[i]);
  }

  void run() {
    if (kind_count_ > 0) quantise();
    if (rounded_.x != nullptr) round();
    if (floats_.panels != nullptr) interleave(floats_);
    if (rounded_.panels != nullptr) interleave(rounded_);
    const std::size_t grain = rows_ == 1 ? 2 : 1;
    exec_.threads.parallel_for(steps_, grain, [&](std::size_t begin, std::size_t end, int worker) {
      for (std::size_t s = begin; s < end; ++s) step(s, worker);
    });
  }

 private:
  bool from_packed() const { return rows_ <= route_->packed_up_to; }

  void plan(const MatmulJob& job, Task& task) {
    assert(job.weights->cols() == cols_ && job.out.rows() == rows_ && job.out.cols() == job.weights->rows());
    const DType type = job.weights->dtype();
    if (job.weights->activation() == ActivationFormat::kInt8) route_ = &table_.int8;
    task = Task{&job, nullptr, steps_, 1};
    if (is_plain(type)) task.step_tiles = table_.plain_tiles;
    if (!in_floats(*job.weights) && !from_packed()) task.step_tiles = kQuantTiles;
    const std::int64_t tiles = (job.weights->rows() + kTile - 1) / kTile;
    steps_ += static_cast<std::size_t>((tiles + task.step_tiles - 1) / task.step_tiles);
    if (in_floats(*job.weights)) return plan_floats(*job.weights);
    if (kind_count_ == 0) quantised_ = take_activations(exec_, rows_, cols_);
    task.corrections = kind_for(pack_format(type)).bits;
    if (!from_packed() && unpacked_.empty()) unpacked_.take(exec_, cols_, route_->unpacked_block, kQuantTiles);
  }

  void plan_floats(const PackedMatrix& w) {
    const auto size = static_cast<std::size_t>(rows_ * cols_);
    const bool rounds = !is_plain(w.dtype()) && w.activation() == ActivationFormat::kBf16;
    if (rounds && rounded_.x == nullptr) {
      rounded_room_ = exec_.scratch.take_array<float>(size).data();
      rounded_ = {rounded_room_, cols_};
    }
    if (!is_plain(w.dtype()) && rows_ <= table_.float_up_to) return;
    FloatRows& x = rounds ? rounded_ : floats_;
    if (x.panels == nullptr && rows_ > 1 && table_.plain_panel > 1)
      x.panels = exec_.scratch.take_array<float>(size).data();
    if (!is_plain(w.dtype()) && decoded_ == nullptr)
      decoded_ = exec_.scratch.take_array<float>(decoded_size() * static_cast<std::size_t>(exec_.threads.size())).data();
  }
  std::size_t decoded_size() const { return static_cast<std::size_t>(cols_) * kTile; }

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
    const std::int64_t blocks = quantised_.row_blocks, panels = (rows_ + route_->panel - 1) / route_->panel;
    const std::int64_t rows = std::min<std::int64_t>(rows_, route_->panel);
    const auto grain = static_cast<std::size_t>(std::max<std::int64_t>(1, kQuantiseGrain / rows));
    exec_.threads.parallel_for(panels * blocks, grain, [&](std::size_t begin, std::size_t end, int) {
      for (auto at = static_cast<std::int64_t>(begin); at < static_cast<std::int64_t>(end);) {
        const std::int64_t panel = at / blocks, first = at % blocks;
        const std::int64_t last = std::min(blocks, first + static_cast<std::int64_t>(end) - at);
        quantise_panel(panel * route_->panel, first, last);
        at += last - first;
      }
    });
  }

  // Blocks [first, last) of the panel that begins with row `row`.
  void quantise_panel(std::int64_t row, std::int64_t first, std::int64_t last) {
    const std::int64_t at = row * quantised_.row_blocks;
    const auto rows = static_cast<int>(std::min<std::int64_t>(route_->panel, rows_ - row));
    route_->quantise({x_.as<float>() + row * x_stride_, x_stride_, rows, quantised_.blocks + at,
                      quantised_.scales + at, quantised_.sums + 2 * at, route_->most},
                     first, last);
    for (std::size_t i = 0; i < kind_count_; ++i)
      fill_corrections(kinds_[i], quantised_, at + first * rows, at + last * rows);
  }

  void round() {
    exec_.threads.parallel_for(rows_, 1, [&](std::size_t begin, std::size_t end, int) {
      for (auto r = static_cast<std::int64_t>(begin); r < static_cast<std::int64_t>(end); ++r)
        std::transform(floats_.x + r * x_stride_, floats_.x + r * x_stride_ + cols_,
                       rounded_room_ + r * cols_, to_bf16);
    });
  }

  void interleave(const FloatRows& x) {
    const std::int64_t panel = table_.plain_panel;
    exec_.threads.parallel_for((rows_ + panel - 1) / panel, 4, [&](std::size_t begin, std::size_t end, int) {
      for (auto p = static_cast<std::int64_t>(begin); p < static_cast<std::int64_t>(end); ++p)
        table_.interleave({x.x + p * panel * x.stride, x.stride}, cols_,
                          static_cast<int>(std::min(panel, rows_ - p * panel)), x.panels + p * panel * cols_);
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
      table_.plain_rows(w.dtype(), tile, tiles, floats_.rows(), cols_, rows_, out);
    } else if (in_floats(w)) {
      float_step(w, tile, out, worker);
    } else if (from_packed()) {
      route_->packed_rows(w.dtype(), tile, quantised_, task.corrections, rows_, out);
    } else {
      UnpackedTile to[kQuantTiles];
      for (int t = 0; t < tiles; ++t) {
        to[t] = unpacked_.at(worker, t);
        route_->unpack(w.dtype(), tile + t * tile_size, cols_, to[t]);
      }
      route_->unpacked_rows(w.dtype(), to, tiles, quantised_, task.corrections, rows_, out);
    }
  }

  // A tile of a block format, decoded.
  void float_step(const PackedMatrix& w, const std::uint8_t* tile, const OutTile& out, int worker) {
    const FloatRows& x = w.activation() == ActivationFormat::kBf16 ? rounded_ : floats_;
    if (rows_ <= table_.float_up_to)
      return table_.float_rows(w.dtype(), tile, {x.x, x.stride}, cols_, rows_, out);
    float* decoded = decoded_ + decoded_size() * static_cast<std::size_t>(worker);
    table_.decode(w.dtype(), tile, cols_, decoded);
    table_.plain_rows(DType::kF32, reinterpret_cast<const std::uint8_t*>(decoded), 1, x.rows(), cols_, rows_, out);
  }

  Exec& exec_;
  const KernelTable& table_;
  const IntegerRoute* route_ = &table_.int16;
  TensorView x_;
  std::int64_t rows_, cols_, x_stride_;
  std::span<Task> tasks_;
  std::span<CorrectionKind> kinds_;
  std::size_t kind_count_ = 0;
  std::size_t steps_ = 0;
  Activations quantised_;
  FloatRows floats_, rounded_;  // x, and rounded to bfloat16
  float* rounded_room_ = nullptr;
  float* decoded_ = nullptr;    // a tile for each worker
  UnpackRoom unpacked_;
};

}  // namespace

void matmul(Exec& exec, TensorView x, std::span<const MatmulJob> jobs) {
  if (jobs.empty() || x.rows() == 0) return;
  ScratchArena::Mark mark(exec.scratch);
  Batch(exec, x, jobs).run();
}

}  // namespace consort
