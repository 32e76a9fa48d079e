#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/lanes/dispatch.h"

namespace consort {

// Rows of queries that share one kv head: row r is head r % group at position start + r / group.
// `scratch` holds attention_scratch_floats(rows, head_dim) floats, 64-byte aligned. head_dim: multiple of 16.
struct AttentionTile {
  // Block b (keys [32 b, 32 b + 32)) lies in page b in half precision: keys as [head_dim][32], values as
  // [32][head_dim].
  std::byte* const* pages = nullptr;
  std::size_t key_offset = 0, value_offset = 0;  // in elements from a page's start
  // The first block of the tile that will probably come next, to be fetched meanwhile; or null.
  const std::uint16_t* next_keys = nullptr;
  const std::uint16_t* next_values = nullptr;

  std::size_t head_dim = 0, rows = 0, group = 1;
  std::int64_t start = 0;   // position of the first row
  std::int64_t window = 0;  // 0: no limit
  const float* q = nullptr;
  std::size_t q_token_stride = 0, q_head_stride = 0;
  float* out = nullptr;
  std::size_t out_token_stride = 0;  // heads of a group stand side by side in out
  float scale = 1;
  float* scratch = nullptr;
};

inline std::size_t attention_scratch_floats(std::size_t rows, std::size_t head_dim) {
  return rows * (2 * head_dim + 16 + 16) +
         2 * 32 * head_dim;  // q, sums of values, lane sums, maxima; one block
}

CONSORT_FOR_EACH_ISA(void attend_tile(const AttentionTile& tile))

// One head of one text. q, k, v: `rows` rows of head_dim (a multiple of 16) floats; strides between rows.
// `scratch` holds text_scratch_floats(rows, head_dim) floats, 64-byte aligned.
struct TextTile {
  const float *q = nullptr, *k = nullptr, *v = nullptr;
  std::size_t q_stride = 0, k_stride = 0, v_stride = 0;
  std::size_t rows = 0, head_dim = 0;
  bool causal = false;
  float scale = 1;
  float* out = nullptr;
  std::size_t out_stride = 0;
  float* scratch = nullptr;
};

inline std::size_t text_scratch_floats(std::size_t rows, std::size_t head_dim) {
  return 2 * rows * head_dim + 16 * head_dim + 16 * rows;  // keys, values, 16 queries, their scores
}

CONSORT_FOR_EACH_ISA(void attend_text(const TextTile& tile))

// Half-precision copies into a page: values as a row, keys with a stride of 32 between elements.
CONSORT_FOR_EACH_ISA(void store_key_value(const float* k, const float* v, std::uint16_t* key,
                                          std::uint16_t* value, std::size_t head_dim))

}  // namespace consort
