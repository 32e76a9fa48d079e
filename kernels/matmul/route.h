// What matmul() and largest_products() share: the route of an instruction set, and the corrections of
// quantised rows. Internal to kernels/matmul.
#pragma once

#include <cstdint>

#include "kernels/matmul/kernel_table.h"

namespace consort::matmul_detail {

const KernelTable& table_of(Isa isa);

// The corrections of one kind of format, shared by all jobs of that kind.
struct CorrectionKind {
  int groups = 0;
  bool affine = false;
  int log2_offset = 0;
  std::uint32_t* bits = nullptr;
};

// Corrections of entries [begin, end) for one kind (kernel_table.h).
void fill_corrections(const CorrectionKind& kind, const Activations& x, std::int64_t begin, std::int64_t end);

}  // namespace consort::matmul_detail
