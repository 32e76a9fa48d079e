// AVX2: quantisation of x and unpacking of tiles.
#include <immintrin.h>

#include "kernels/matmul/avx2_parts.h"
#include "kernels/matmul/codes_avx2.h"

namespace consort::matmul_detail {
namespace {

template <PackFormat F, int C>
inline __attribute__((always_inline)) void unpack_vectors(const std::uint8_t* block, std::uint8_t* out) {
  if constexpr (C < 8) {
#pragma GCC unroll 2
    for (int j = 0; j < 64; j += 32) {
      const WordPairs w = code_words_of<F, C>(block, j);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 128 * C + j), w.even);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 128 * C + 64 + j), w.odd);
    }
    unpack_vectors<F, C + 1>(block, out);
  }
}

template <PackFormat F>
void unpack(const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to) {
  each_block<F>(tile, cols / kBlock, [&](std::int64_t b, const std::uint8_t* unit, const std::uint8_t* block) {
    unpack_vectors<F, 0>(block, to.codes + kUnpackedWords * b);
    unpack_scales<F>(unit, block, b, to);
  });
}

// The 16 integers of two vectors as words, each four as columns 0, 2, 1, 3.
inline __m256i paired_words(__m256i a, __m256i b) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
  return _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(words, 0xd8), 0xd8);
}

}  // namespace

// See quantise_block in kernels_scalar.cpp.
void quantise_avx2(const PanelToQuantise& p, std::int64_t first, std::int64_t last) {
  for (std::int64_t b = first; b < last; ++b) {
    const QuantisedBlock q = quantise_block_avx2(p, b);
    auto* to = reinterpret_cast<__m256i*>(p.blocks + b);
    for (int h = 0; h < 2; ++h) _mm256_storeu_si256(to + h, paired_words(q.v[2 * h], q.v[2 * h + 1]));
  }
}

void unpack_avx2(DType type, const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to) {
  switch (type) {
#define CONSORT_CASE(name, format) \
  case DType::name:                \
    return unpack<format>(tile, cols, to);
    CONSORT_PACK_FORMATS(CONSORT_CASE)
#undef CONSORT_CASE
    default:
      return;
  }
}

}  // namespace consort::matmul_detail
