// Attention over a paged KV cache, and over whole texts without one. Softmax is taken online, page by page in
// the order of absolute positions. Source: Dao et al. 2022, "FlashAttention", algorithm 1; Kwon et al. 2023,
// "PagedAttention".
//
// One arithmetic: the numbers of one query depend on its own row, its position and the pages alone. Tiles of
// queries only share the reading of keys and values, so a prompt cut in any way, beside any neighbours, on
// any number of threads, gives the same bits.
//
// Inside a page (memory/kv/kv_layout.h) this op keeps the keys of a head transposed, [head_dim][token], so
// that 16 scores grow in 16 lanes and no sum across lanes is needed; values are [token][head_dim]. Both are
// f16.
#pragma once

#include <span>

#include "kernels/exec/exec.h"
#include "memory/kv/kv_layout.h"

namespace consort {

// One sequence's rows of a step: `rows` consecutive tokens at positions [start, start + rows).
struct AttentionSlice {
  KvView kv;
  int start = 0;
  int rows = 0;
};

// Writes the step's keys and values into the pages of `layer`. k, v: f32 [tokens, kv_heads, head_dim], outer
// strides free; tokens = sum of the slices' rows. REQUIRES: layout f16, pages cover every position.
void write_kv(Exec& exec, std::span<const AttentionSlice> slices, int layer, TensorView k, TensorView v);

struct AttentionOptions {
  int layer = 0;
  float scale = 1.0f;  // scores are scale * q.k
  int window = 0;      // > 0: the query at i sees keys j with i - window < j <= i; 0: all j <= i
};

// out[t, h] = softmax over visible keys, times values. q: f32 [tokens, heads, head_dim], outer strides free;
// out: f32 [tokens, heads * head_dim], contiguous rows. heads is a multiple of the layout's kv_heads; head h
// reads kv head h / (heads / kv_heads). REQUIRES: write_kv was called for these rows.
void paged_attention(Exec& exec, std::span<const AttentionSlice> slices, const AttentionOptions& options,
                     TensorView q, TensorView out);

// Attention within texts that stand one after another; every token sees its whole text (encoders), or with
// `causal` itself and what stands before it.
// q, k, v: f32 [tokens, heads, head_dim], outer strides free; out: f32 [tokens, heads * head_dim].
// lengths: tokens of each text; their sum is `tokens`. A text's result does not depend on the other texts.
void text_attention(Exec& exec, std::span<const int> lengths, float scale, TensorView q, TensorView k,
                    TensorView v, TensorView out, bool causal = false);

namespace reference {
// Keys and values as plain rows of one sequence: k, v f32 [keys, kv_heads, head_dim]; q's row r stands at
// position start + r. `causal` false: every key is seen.
void attention(TensorView q, TensorView k, TensorView v, int start, float scale, int window, bool causal,
               TensorView out);
}  // namespace reference

}  // namespace consort
