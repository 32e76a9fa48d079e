// The layout of one page of a KV cache: the contract between memory/kv, which hands out pages, and
// kernels/attention, which reads and writes them. A page holds kPageTokens tokens of every layer:
//   [layer][K=0 | V=1][kv_head][token in page][head_dim]      elements of `dtype`
// Inside the block of one head, kernels/attention keeps keys transposed, [head_dim][token in page]; whoever only
// hands out, shares and copies whole pages need not care.
#pragma once

#include <cstddef>
#include <cstdint>

#include "memory/tensor/dtype.h"

namespace consort {

inline constexpr int kPageTokens = 32;  // one attention block; sharing is by whole pages

struct KvLayout {
  int layers = 0;
  int kv_heads = 0;
  int head_dim = 0;
  DType dtype = DType::kF16;

  std::size_t row_elements() const { return static_cast<std::size_t>(head_dim); }
  std::size_t head_elements() const { return row_elements() * kPageTokens; }
  std::size_t plane_elements() const { return head_elements() * kv_heads; }  // K or V of one layer
  std::size_t page_elements() const { return plane_elements() * 2 * layers; }
  std::size_t page_bytes() const { return page_elements() * dtype_info(dtype).bytes; }
  // Element offset of (layer, K or V, head, token in page) from the page's start.
  std::size_t offset(int layer, int k_or_v, int head, int token_in_page) const {
    return ((static_cast<std::size_t>(layer) * 2 + k_or_v) * kv_heads + head) * head_elements() +
           static_cast<std::size_t>(token_in_page) * row_elements();
  }
  bool operator==(const KvLayout&) const = default;
};

// One sequence's pages as kernels see them. pages[p] holds tokens [p*kPageTokens, (p+1)*kPageTokens).
struct KvView {
  std::byte* const* pages = nullptr;
  KvLayout layout;
};

}  // namespace consort
