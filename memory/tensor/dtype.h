// Element types: plain numbers, and the block formats of GGUF files (source: GGUF specification and ggml's
// block layouts). A block format packs `block` elements along the last dimension into `bytes` bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace consort {

enum class DType : std::uint8_t {
  kF32, kF16, kBF16, kF64, kI8, kU8, kI16, kI32, kI64, kBool,
  kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ8_0, kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K,
};

struct DTypeInfo {
  std::string_view name;  // "f32", "q4_k", ...
  std::size_t block;      // elements in a block (1 for plain numbers)
  std::size_t bytes;      // bytes of a block
};

constexpr DTypeInfo dtype_info(DType t) {
  switch (t) {
    case DType::kF32: return {"f32", 1, 4};
    case DType::kF16: return {"f16", 1, 2};
    case DType::kBF16: return {"bf16", 1, 2};
    case DType::kF64: return {"f64", 1, 8};
    case DType::kI8: return {"i8", 1, 1};
    case DType::kU8: return {"u8", 1, 1};
    case DType::kI16: return {"i16", 1, 2};
    case DType::kI32: return {"i32", 1, 4};
    case DType::kI64: return {"i64", 1, 8};
    case DType::kBool: return {"bool", 1, 1};
    case DType::kQ4_0: return {"q4_0", 32, 18};
    case DType::kQ4_1: return {"q4_1", 32, 20};
    case DType::kQ5_0: return {"q5_0", 32, 22};
    case DType::kQ5_1: return {"q5_1", 32, 24};
    case DType::kQ8_0: return {"q8_0", 32, 34};
    case DType::kQ2_K: return {"q2_k", 256, 84};
    case DType::kQ3_K: return {"q3_k", 256, 110};
    case DType::kQ4_K: return {"q4_k", 256, 144};
    case DType::kQ5_K: return {"q5_k", 256, 176};
    case DType::kQ6_K: return {"q6_k", 256, 210};
  }
  return {"?", 1, 0};
}

constexpr std::string_view dtype_name(DType t) { return dtype_info(t).name; }
constexpr bool is_block_format(DType t) { return dtype_info(t).block > 1; }

// Bytes of `elements` elements along one row. REQUIRES: elements is a multiple of the type's block.
constexpr std::size_t row_bytes(DType t, std::size_t elements) {
  return elements / dtype_info(t).block * dtype_info(t).bytes;
}

}  // namespace consort
