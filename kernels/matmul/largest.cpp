#include "kernels/matmul/largest.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/matmul/route.h"
#include "kernels/matmul/sketch_layout.h"

namespace consort {
namespace {

using namespace matmul_detail;

constexpr double kRoundUp = 1.0001;  // covers the roundings of the bounds' own sums
constexpr float kByteMax = 127.0f;

struct Row {
  bool finite = true;
  float threshold = 0;  // `count` values of the row are at least as large
};

// One block of x as bytes. Adds the square of what they leave out and that of what matmul's words may leave
// out; returns the square of the block's norm.
double quantise_block(const float* x, std::int8_t* bytes, float& scale, std::int32_t& offset,
                      double& byte_rest, double& word_rest) {
  float largest = 0;
  double square = 0;
  for (int i = 0; i < kBlock; ++i) {
    largest = std::max(largest, std::fabs(x[i]));
    square += static_cast<double>(x[i]) * x[i];
  }
  scale = offset = 0;
  std::fill_n(bytes, kBlock, std::int8_t{0});
  if (!std::isfinite(square)) return square;  // such a row is computed whole
  scale = largest < kTiny ? 0.0f : largest / kByteMax;
  const float inverse = scale > 0 ? 1 / scale : 0;
  std::int32_t sum = 0;
  for (int i = 0; i < kBlock; ++i) {
    const auto q = static_cast<std::int32_t>(std::clamp(std::nearbyint(x[i] * inverse), -127.0f, 127.0f));
    bytes[i] = static_cast<std::int8_t>(q);
    sum += q;
    const double rest = static_cast<double>(x[i]) - static_cast<double>(q) * scale;
    byte_rest += rest * rest;
  }
  offset = -16 * sum;
  // Half a step of a word and the rounding of x / scale; blocks below kTiny count as zero.
  const double word = largest < kTiny ? largest : 0.51 * static_cast<double>(largest) / kActivationMax;
  word_rest += kBlock * word * word;
  return square;
}

class Search {
 public:
  Search(Exec& exec, TensorView x, const PackedMatrix& weights, const RowSketch& sketch, int count,
         TensorView out)
      : exec_(exec),
        table_(table_of(exec.isa)),
        scan_(sketch_tile_of(exec.isa)),
        x_(x),
        w_(weights),
        sketch_(sketch),
        out_(out),
        rows_(x.rows()),
        blocks_(weights.cols() / kBlock),
        tiles_(static_cast<std::size_t>((weights.rows() + kTile - 1) / kTile)),
        count_(std::min(static_cast<std::size_t>(count), tiles_)) {}

  LargestWork run() {
    prepare();
    scan();
    find_thresholds();
    return {tiles_ * static_cast<std::size_t>(rows_), compute()};
  }

 private:
  const float* x_row(std::int64_t m) const {
    return x_.as<float>() + m * (x_.rank >= 2 ? x_.strides[x_.rank - 2] : w_.cols());
  }
  float* out_row(std::int64_t m) const {
    return out_.as<float>() + m * (out_.rank >= 2 ? out_.strides[out_.rank - 2] : w_.rows());
  }
  int live(std::size_t tile) const {
    return static_cast<int>(
        std::min<std::int64_t>(kTile, w_.rows() - static_cast<std::int64_t>(tile) * kTile));
  }
  float& upper(std::int64_t m, std::size_t t) { return upper_[static_cast<std::size_t>(m) * tiles_ + t]; }
  float& lower(std::int64_t m, std::size_t t) { return lower_[static_cast<std::size_t>(m) * tiles_ + t]; }

  void prepare() {
    ScratchArena& scratch = exec_.scratch;
    const auto rows = static_cast<std::size_t>(rows_), entries = rows * static_cast<std::size_t>(blocks_);
    prepared_ = scratch.take_array<Row>(rows);
    forms_ = scratch.take_array<SketchRow>(rows);
    upper_ = scratch.take_array<float>(rows * tiles_);
    lower_ = scratch.take_array<float>(rows * tiles_);
    bytes_ = scratch.take_array<std::int8_t>(entries * kBlock).data();
    scales_ = scratch.take_array<float>(entries).data();
    norms_ = scratch.take_array<float>(entries).data();
    offsets_ = scratch.take_array<std::int32_t>(entries).data();
    if (!is_plain(w_.dtype())) {
      words_ = take_activations(exec_, rows_, w_.cols());
      const PackFormat f = pack_format(w_.dtype());
      kind_ = {f.groups, f.affine, f.log2_offset,
               scratch.take_array<std::uint32_t>(entries * static_cast<std::size_t>(f.groups)).data()};
    }
    const bool unpacks = !is_plain(w_.dtype()) && table_.int16.packed_up_to == 0;
    if (unpacks) unpacked_.take(exec_, w_.cols(), table_.int16.unpacked_block, 1);
    exec_.threads.parallel_for(rows, 1, [&](std::size_t begin, std::size_t end, int) {
      for (std::size_t m = begin; m < end; ++m) prepare_row(static_cast<std::int64_t>(m));
    });
  }

  // Every row is a panel of its own, so that its products need no other row.
  void prepare_row(std::int64_t m) {
    const std::int64_t at = m * blocks_;
    const float* x = x_row(m);
    double byte_rest = 0, word_rest = 0, square = 0;
    for (std::int64_t b = 0; b < blocks_; ++b) {
      const double block = quantise_block(x + b * kBlock, bytes_ + (at + b) * kBlock, scales_[at + b],
                                          offsets_[at + b], byte_rest, word_rest);
      norms_[at + b] = static_cast<float>(std::sqrt(block) * kRoundUp / kRestUnits);
      square += block;
    }
    // The sketch's norm is at most 1.2 times the row's. Sums of n float32 products lose at most n 2^-24 of
    // the product of the norms; twice that is allowed for.
    const double sums = is_plain(w_.dtype()) ? static_cast<double>(w_.cols()) : static_cast<double>(blocks_);
    const double rounding = (2 * sums + 8 + 1.3 * (2 * static_cast<double>(blocks_) + 8)) * 0x1p-24;
    SketchRow& form = forms_[static_cast<std::size_t>(m)];
    form = {
        bytes_ + at * kBlock, scales_ + at, offsets_ + at, norms_ + at,
        static_cast<float>(
            (1.2 * std::sqrt(byte_rest) + std::sqrt(word_rest) + rounding * std::sqrt(square)) * kRoundUp)};
    prepared_[static_cast<std::size_t>(m)] = {std::isfinite(square) && std::isfinite(form.slack), 0};
    if (is_plain(w_.dtype())) return;
    table_.int16.quantise({x, 0, 1, words_.blocks + at, words_.scales + at, words_.sums + 2 * at}, 0, blocks_);
    fill_corrections(kind_, words_, at, at + blocks_);
  }

  void scan() {
    const auto* tiles = reinterpret_cast<const std::uint8_t*>(sketch_.tiles());
    const std::size_t size = sketch_tile_bytes(blocks_);
    exec_.threads.parallel_for(tiles_, 8, [&](std::size_t begin, std::size_t end, int) {
      constexpr int kGroup = 12;
      float high[kGroup], low[kGroup];
      for (std::size_t t = begin; t < end; ++t)
        for (std::int64_t m = 0; m < rows_; m += kGroup) {
          const auto group = static_cast<int>(std::min<std::int64_t>(kGroup, rows_ - m));
          scan_(tiles + t * size, blocks_, sketch_.norms() + t * kTile, live(t), forms_.data() + m, group,
                high, low);
          for (int i = 0; i < group; ++i) {
            upper(m + i, t) = high[i];
            lower(m + i, t) = low[i];
          }
        }
    });
  }

  // The tiles with the largest lower bounds are computed first; their count-th value is what others must
  // reach.
  void find_thresholds() {
    const auto rows = static_cast<std::size_t>(rows_);
    const auto order = exec_.scratch.take_array<std::uint32_t>(rows * tiles_);
    exec_.threads.parallel_for(rows, 1, [&](std::size_t begin, std::size_t end, int worker) {
      for (std::size_t i = begin; i < end; ++i) {
        if (!prepared_[i].finite) continue;
        const auto m = static_cast<std::int64_t>(i);
        const auto mine = order.subspan(i * tiles_, tiles_);
        for (std::size_t t = 0; t < tiles_; ++t) mine[t] = static_cast<std::uint32_t>(t);
        std::partial_sort(mine.begin(), mine.begin() + static_cast<std::ptrdiff_t>(count_), mine.end(),
                          [&](std::uint32_t a, std::uint32_t b) {
                            return lower(m, a) != lower(m, b) ? lower(m, a) > lower(m, b) : a < b;
                          });
        prepared_[i].threshold = threshold_of(m, mine.first(count_), worker);
      }
    });
  }

  float threshold_of(std::int64_t m, std::span<const std::uint32_t> seeds, int worker) {
    std::vector<float> values;
    for (const std::uint32_t t : seeds) {
      compute_tile(m, t, worker);
      const float* at = out_row(m) + static_cast<std::size_t>(t) * kTile;
      values.insert(values.end(), at, at + live(t));
    }
    const auto last = values.begin() + static_cast<std::ptrdiff_t>(count_ - 1);
    std::nth_element(values.begin(), last, values.end(), std::greater<float>());
    return *last;
  }

  std::size_t compute() {
    const auto counts = exec_.scratch.take_array<std::size_t>(static_cast<std::size_t>(exec_.threads.size()));
    std::fill(counts.begin(), counts.end(), 0);
    exec_.threads.parallel_for(tiles_, 16, [&](std::size_t begin, std::size_t end, int worker) {
      for (std::size_t t = begin; t < end; ++t)
        for (std::int64_t m = 0; m < rows_; ++m) {
          const Row& row = prepared_[static_cast<std::size_t>(m)];
          if (!row.finite || !(upper(m, t) < row.threshold)) {
            compute_tile(m, t, worker);
            ++counts[static_cast<std::size_t>(worker)];
          } else {
            std::fill_n(out_row(m) + t * kTile, live(t), -std::numeric_limits<float>::infinity());
          }
        }
    });
    std::size_t all = 0;
    for (const std::size_t n : counts) all += n;
    return all;
  }

  // Row m times the tile, as matmul() does it.
  void compute_tile(std::int64_t m, std::size_t t, int worker) {
    const std::size_t size = tile_bytes(w_.dtype(), static_cast<std::size_t>(w_.cols()));
    const auto* tile = reinterpret_cast<const std::uint8_t*>(w_.data()) + t * size;
    const OutTile to{out_row(m) + t * kTile, 0, live(t), nullptr};
    if (is_plain(w_.dtype())) return table_.plain_rows(w_.dtype(), tile, 1, {x_row(m), 0}, w_.cols(), 1, to);
    const std::int64_t at = m * blocks_;
    const Activations x{words_.blocks + at, words_.scales + at, words_.sums + 2 * at, blocks_};
    const std::uint32_t* corrections = kind_.bits + at * kind_.groups;
    if (table_.int16.packed_up_to > 0) return table_.int16.packed_rows(w_.dtype(), tile, x, corrections, 1, to);
    const UnpackedTile room = unpacked_.at(worker, 0);
    table_.int16.unpack(w_.dtype(), tile, w_.cols(), room);
    table_.int16.unpacked_rows(w_.dtype(), &room, 1, x, corrections, 1, to);
  }

  Exec& exec_;
  const KernelTable& table_;
  const SketchTile scan_;
  const TensorView x_;
  const PackedMatrix& w_;
  const RowSketch& sketch_;
  const TensorView out_;
  const std::int64_t rows_, blocks_;
  const std::size_t tiles_, count_;
  std::span<Row> prepared_;
  std::span<SketchRow> forms_;
  std::span<float> upper_, lower_;  // [rows][tiles]
  std::int8_t* bytes_ = nullptr;
  float *scales_ = nullptr, *norms_ = nullptr;
  std::int32_t* offsets_ = nullptr;
  Activations words_;
  CorrectionKind kind_;
  UnpackRoom unpacked_;
};

}  // namespace

LargestWork largest_products(Exec& exec, TensorView x, const PackedMatrix& weights, const RowSketch& sketch,
                             int count, TensorView out) {
  assert(!sketch.empty() && count >= 1 && x.cols() == weights.cols() && out.cols() == weights.rows());
  if (x.rows() == 0) return {};
  const ScratchArena::Mark mark(exec.scratch);
  return Search(exec, x, weights, sketch, count, out).run();
}

}  // namespace consort
