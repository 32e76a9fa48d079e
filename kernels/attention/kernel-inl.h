#pragma once

#include "kernels/attention/kernel.h"
#include "kernels/lanes/lanes.h"

namespace consort::CONSORT_LANES {

inline constexpr std::size_t kBlock = 32;  // keys in a block, two vectors of scores
#if defined(__AVX512F__)
inline constexpr std::size_t kRowBlock = 4, kScoreVectors = 2, kValueVectors = 4;  // fits 32 registers
#else
inline constexpr std::size_t kRowBlock = 2, kScoreVectors = 1,
                             kValueVectors = 2;  // fits 16 registers of 8 lanes
#endif

CONSORT_LANE_FN Lanes load_any(const float* p) {
  return load(p);
}
CONSORT_LANE_FN Lanes load_any(const std::uint16_t* p) {
  return load_half(p);
}

struct KeyRange {
  std::size_t low, high;  // keys of the block that a row sees; low >= high: none
};

// The state of the rows of a tile between blocks.
struct TileState {
  float* q;       // [rows][head_dim], scaled
  float* values;  // [rows][head_dim], sum of weight * value so far
  float* sums;    // [rows][16], sum of weights so far, by lane
  float* maxima;  // [rows], largest score so far
  std::size_t dim;
};

// scores[r][j] = q[r] . key j, even and odd elements summed apart, then together, for the keys of H vectors.
// Any number of rows R gives the same numbers for a row.
template <std::size_t R, std::size_t H, typename Element>
CONSORT_LANE_FN void score_vectors(const float* q, const Element* keys, const Element* ahead, std::size_t dim,
                                   std::size_t first, float (*scores)[kBlock]) {
  Lanes even[R][H], odd[R][H];
  for (std::size_t r = 0; r < R; ++r)
    for (std::size_t h = 0; h < H; ++h) even[r][h] = odd[r][h] = zero();
  for (std::size_t d = 0; d < dim; d += 2) {
    if (ahead != nullptr) {
      __builtin_prefetch(ahead + d * kBlock);
      __builtin_prefetch(ahead + (d + 1) * kBlock);
    }
    Lanes k[H], n[H];
    for (std::size_t h = 0; h < H; ++h) {
      k[h] = load_any(keys + d * kBlock + first + h * kLanes);
      n[h] = load_any(keys + (d + 1) * kBlock + first + h * kLanes);
    }
    for (std::size_t r = 0; r < R; ++r) {
      const Lanes a = set1(q[r * dim + d]), b = set1(q[r * dim + d + 1]);
      for (std::size_t h = 0; h < H; ++h) {
        even[r][h] = fma(a, k[h], even[r][h]);
        odd[r][h] = fma(b, n[h], odd[r][h]);
      }
    }
  }
  for (std::size_t r = 0; r < R; ++r)
    for (std::size_t h = 0; h < H; ++h) store(scores[r] + first + h * kLanes, add(even[r][h], odd[r][h]));
}

// All keys of a block. A single row takes them at once: its operands are loaded once and nothing is short.
template <std::size_t R, typename Element>
CONSORT_LANE_FN void block_scores(const float* q, const Element* keys, const Element* ahead, std::size_t dim,
                                  float (*scores)[kBlock]) {
  constexpr std::size_t kAtOnce = R == 1 ? 2 : kScoreVectors;
  for (std::size_t first = 0; first < kBlock; first += kAtOnce * kLanes)
    score_vectors<R, kAtOnce>(q, keys, first == 0 ? ahead : nullptr, dim, first, scores);
}

// Scores outside [low, high) of the block become `fill`.
CONSORT_LANE_FN void fill_outside(float* scores, std::size_t low, std::size_t high, float fill) {
  for (std::size_t j = 0; j < low; ++j) scores[j] = fill;
  for (std::size_t j = high; j < kBlock; ++j) scores[j] = fill;
}

// The rows' new maxima over everything seen; what was summed before is rescaled to them. One exponential for
// all rows: where the maximum stays, the factor would be exactly 1 and is not applied.
template <std::size_t R>
CONSORT_LANE_FN void raise_maxima(const float (*scores)[kBlock], const KeyRange* range, std::size_t row,
                                  const TileState& state) {
  float factors[kLanes];
  float* maxima = state.maxima + row;
  bool raised[R], any = false;
  store(factors, zero());
  for (std::size_t r = 0; r < R; ++r) {
    raised[r] = false;
    if (range[r].low >= range[r].high) continue;
    const float largest = max_of(max(load(scores[r]), load(scores[r] + kLanes)));
    if (!(largest > maxima[r])) continue;
    factors[r] = maxima[r] - largest;
    maxima[r] = largest;
    raised[r] = any = true;
  }
  if (!any) return;
  store(factors, exp(load(factors)));
  for (std::size_t r = 0; r < R; ++r) {
    if (!raised[r]) continue;
    const Lanes factor = set1(factors[r]);
    float *sums = state.sums + (row + r) * kLanes, *values = state.values + (row + r) * state.dim;
    store(sums, mul(load(sums), factor));
    for (std::size_t d = 0; d < state.dim; d += kLanes) store(values + d, mul(load(values + d), factor));
  }
}

// Turns scores into weights relative to the row's maximum and adds them up. Keys that the row does not see
// weigh exactly 0.
CONSORT_LANE_FN void weigh(float* scores, const KeyRange& range, std::size_t row, const TileState& state) {
  const Lanes top = set1(state.maxima[row]);
  store(scores, exp(sub(load(scores), top)));
  store(scores + kLanes, exp(sub(load(scores + kLanes), top)));
  if (range.low > 0 || range.high < kBlock) fill_outside(scores, range.low, range.high, 0.0f);
  float* sums = state.sums + row * kLanes;
  store(sums, add(load(sums), add(load(scores), load(scores + kLanes))));
}

// values[r] += sum over keys j in [low, high) of weight * value j, in order of j.
template <std::size_t R, std::size_t V, typename Element>
CONSORT_LANE_FN void block_values(const float (*weights)[kBlock], const Element* block, const Element* ahead,
                                  std::size_t dim, std::size_t low, std::size_t high, float* values) {
  Lanes acc[R][V];
  for (std::size_t r = 0; r < R; ++r)
    for (std::size_t x = 0; x < V; ++x) acc[r][x] = load(values + r * dim + x * kLanes);
  for (std::size_t j = low; j < high; ++j) {
    if (ahead != nullptr)
      for (std::size_t x = 0; x < V; x += 2) __builtin_prefetch(ahead + j * dim + x * kLanes);
    Lanes v[V];
    for (std::size_t x = 0; x < V; ++x) v[x] = load_any(block + j * dim + x * kLanes);
    for (std::size_t r = 0; r < R; ++r) {
      const Lanes w = set1(weights[r][j]);
      for (std::size_t x = 0; x < V; ++x) acc[r][x] = fma(w, v[x], acc[r][x]);
    }
  }
  for (std::size_t r = 0; r < R; ++r)
    for (std::size_t x = 0; x < V; ++x) store(values + r * dim + x * kLanes, acc[r][x]);
}

CONSORT_LANE_FN KeyRange visible(const AttentionTile& tile, std::size_t row, std::int64_t first_key) {
  const std::int64_t position = tile.start + static_cast<std::int64_t>(row / tile.group);
  std::int64_t high = position + 1 - first_key;
  std::int64_t low = tile.window > 0 ? position - tile.window + 1 - first_key : 0;
  if (low < 0) low = 0;
  if (high < low) high = low;
  if (high > static_cast<std::int64_t>(kBlock)) high = kBlock;
  if (low > high) low = high;
  return {static_cast<std::size_t>(low), static_cast<std::size_t>(high)};
}

// What will be worked on after this block: it is asked for line by line in between, so that the requests
// neither queue up nor come late. Eight sequences of 100 tokens: 1.8 ms a step instead of 2.2.
template <typename Element>
struct Ahead {
  const Element* keys = nullptr;
  const Element* values = nullptr;
};

// R rows from `row` on against one block.
template <std::size_t R, typename Element>
inline void attend_rows(const AttentionTile& tile, const TileState& state, std::size_t row,
                        std::int64_t first_key, const Element* keys, const Element* values,
                        const Ahead<Element>& ahead = {}) {
  alignas(64) float scores[R][kBlock];
  KeyRange all{kBlock, 0}, range[R];
  for (std::size_t r = 0; r < R; ++r) {
    range[r] = visible(tile, row + r, first_key);
    if (range[r].low >= range[r].high) continue;
    if (range[r].low < all.low) all.low = range[r].low;
    if (range[r].high > all.high) all.high = range[r].high;
  }
  if (all.low >= all.high) return;
  block_scores<R>(state.q + row * state.dim, keys, ahead.keys, state.dim, scores);
  for (std::size_t r = 0; r < R; ++r)
    if (range[r].low > 0 || range[r].high < kBlock)
      fill_outside(scores[r], range[r].low, range[r].high, -__builtin_inff());
  raise_maxima<R>(scores, range, row, state);
  for (std::size_t r = 0; r < R; ++r) {
    if (range[r].low < range[r].high)
      weigh(scores[r], range[r], row + r, state);
    else
      fill_outside(scores[r], 0, 0, 0.0f);
  }
  float* sums = state.values + row * state.dim;
  const auto ahead_at = [&](std::size_t d) { return ahead.values == nullptr ? nullptr : ahead.values + d; };
  std::size_t d = 0;
  for (; d + kValueVectors * kLanes <= state.dim; d += kValueVectors * kLanes)
    block_values<R, kValueVectors>(scores, values + d, ahead_at(d), state.dim, all.low, all.high, sums + d);
  for (; d < state.dim; d += kLanes)
    block_values<R, 1>(scores, values + d, ahead_at(d), state.dim, all.low, all.high, sums + d);
}

template <typename Element>
inline void attend_block(const AttentionTile& tile, const TileState& state, std::int64_t first_key,
                         const Element* keys, const Element* values, const Ahead<Element>& ahead = {}) {
  std::size_t row = 0;
  for (; row + kRowBlock <= tile.rows; row += kRowBlock)
    attend_rows<kRowBlock>(tile, state, row, first_key, keys, values, ahead);
  if constexpr (kRowBlock > 1) {
    const std::size_t rest = tile.rows - row;
    if (rest == 3) attend_rows<3>(tile, state, row, first_key, keys, values, ahead);
    if (rest == 2) attend_rows<2>(tile, state, row, first_key, keys, values, ahead);
    if (rest == 1) attend_rows<1>(tile, state, row, first_key, keys, values, ahead);
  }
}

// Asks for the next block while this one is worked on. A block is one or a few 4 KiB pages, at whose ends the
// processor's own prefetcher stops; with 2048 tokens of context decode attention of 9 heads took 100 to 146
// us a layer with it and 210 us without.
CONSORT_LANE_FN void prefetch_block(const std::uint16_t* p, std::size_t elements) {
  for (std::size_t i = 0; i < elements; i += 32) __builtin_prefetch(p + i, 0, 2);
}

CONSORT_LANE_FN void start_tile(const AttentionTile& tile, const TileState& state) {
  const Lanes scale = set1(tile.scale);
  for (std::size_t r = 0; r < tile.rows; ++r) {
    const float* q = tile.q + r / tile.group * tile.q_token_stride + r % tile.group * tile.q_head_stride;
    for (std::size_t d = 0; d < state.dim; d += kLanes) {
      store(state.q + r * state.dim + d, mul(load(q + d), scale));
      store(state.values + r * state.dim + d, zero());
    }
    store(state.sums + r * kLanes, zero());
    state.maxima[r] = -__builtin_inff();
  }
}

CONSORT_LANE_FN void finish_tile(const AttentionTile& tile, const TileState& state) {
  for (std::size_t r = 0; r < tile.rows; ++r) {
    const Lanes total = set1(sum_of(load(state.sums + r * kLanes)));
    float* out = tile.out + r / tile.group * tile.out_token_stride + r % tile.group * state.dim;
    for (std::size_t d = 0; d < state.dim; d += kLanes)
      store(out + d, div(load(state.values + r * state.dim + d), total));
  }
}

void attend_tile(const AttentionTile& tile) {
  const std::size_t dim = tile.head_dim, rows = tile.rows;
  float* p = tile.scratch;
  const TileState state{p, p + rows * dim, p + 2 * rows * dim, p + rows * (2 * dim + kLanes), dim};
  float* unpacked = p + rows * (2 * dim + 2 * kLanes);
  start_tile(tile, state);
  const std::int64_t last = tile.start + static_cast<std::int64_t>((rows - 1) / tile.group);
  const std::int64_t end = last + 1;
  std::int64_t begin = tile.window > 0 && tile.start - tile.window + 1 > 0 ? tile.start - tile.window + 1 : 0;
  begin -= begin % static_cast<std::int64_t>(kBlock);
  for (std::int64_t first = begin; first < end; first += kBlock) {
    const std::size_t block = static_cast<std::size_t>(first) / kBlock;
    const std::uint16_t* page = reinterpret_cast<const std::uint16_t*>(tile.pages[block]);
    const std::uint16_t *keys = page + tile.key_offset, *values = page + tile.value_offset;
    Ahead<std::uint16_t> ahead{tile.next_keys, tile.next_values};
    if (first + static_cast<std::int64_t>(kBlock) < end) {
      const std::uint16_t* next = reinterpret_cast<const std::uint16_t*>(tile.pages[block + 1]);
      ahead = {next + tile.key_offset, next + tile.value_offset};
    }
    if (rows <= kRowBlock) {
      attend_block(tile, state, first, keys, values, ahead);
      continue;
    }
    if (ahead.keys != nullptr) {
      prefetch_block(ahead.keys, kBlock * dim);
      prefetch_block(ahead.values, kBlock * dim);
    }
    for (std::size_t i = 0; i < kBlock * dim; i += kLanes) {
      store(unpacked + i, load_half(keys + i));
      store(unpacked + kBlock * dim + i, load_half(values + i));
    }
    attend_block(tile, state, first, static_cast<const float*>(unpacked),
                 static_cast<const float*>(unpacked + kBlock * dim));
  }
  finish_tile(tile, state);
}

void store_key_value(const float* k, const float* v, std::uint16_t* key, std::uint16_t* value,
                     std::size_t head_dim) {
  alignas(64) std::uint16_t halves[kLanes];
  for (std::size_t d = 0; d < head_dim; d += kLanes) {
    store_half(halves, load(k + d));
    for (std::size_t i = 0; i < kLanes; ++i) key[(d + i) * kBlock] = halves[i];
    store_half(value + d, load(v + d));
  }
}

}  // namespace consort::CONSORT_LANES
