#include "kernels/matmul/route.h"

namespace consort::matmul_detail {

const KernelTable& table_of(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return scalar_kernels();
    case Isa::kAvx2:
      return avx2_kernels();
    case Isa::kAvx512:
      return avx512_kernels();
  }
  return scalar_kernels();
}

Activations take_activations(Exec& exec, std::int64_t rows, std::int64_t cols) {
  Activations x;
  x.row_blocks = cols / kBlock;
  const auto n = static_cast<std::size_t>(rows * x.row_blocks);
  x.blocks = exec.scratch.take_array<ActivationBlock>(n).data();
  x.scales = exec.scratch.take_array<float>(n).data();
  x.sums = exec.scratch.take_array<std::int32_t>(2 * n).data();
  return x;
}

void UnpackRoom::take(Exec& exec, std::int64_t cols, int block_bytes, int tiles) {
  const auto blocks = static_cast<std::size_t>(cols / kBlock);
  codes_ = blocks * static_cast<std::size_t>(block_bytes);
  scales_ = blocks * 2 * kTile * sizeof(float);
  tiles_ = tiles;
  base_ = exec.scratch.take((codes_ + 2 * scales_) * static_cast<std::size_t>(tiles * exec.threads.size()));
}

UnpackedTile UnpackRoom::at(int worker, int tile) const {
  std::byte* p = base_ + (codes_ + 2 * scales_) * static_cast<std::size_t>(worker * tiles_ + tile);
  return {reinterpret_cast<std::uint8_t*>(p), reinterpret_cast<float*>(p + codes_),
          reinterpret_cast<float*>(p + codes_ + scales_)};
}

void fill_corrections(const CorrectionKind& kind, const Activations& x, std::int64_t begin,
                      std::int64_t end) {
  for (std::int64_t at = begin; at < end; ++at)
    for (int g = 0; g < kind.groups; ++g) {
      const std::int32_t* sums = x.sums + 2 * at;
      const std::int32_t sum = kind.groups == 2 ? sums[g] : sums[0] + sums[1];
      kind.bits[at * kind.groups + g] =
          kind.affine ? __builtin_bit_cast(std::uint32_t, x.scales[at] * static_cast<float>(sum))
                      : static_cast<std::uint32_t>(-(sum * (1 << kind.log2_offset)));
    }
}

}  // namespace consort::matmul_detail
