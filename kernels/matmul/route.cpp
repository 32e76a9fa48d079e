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
