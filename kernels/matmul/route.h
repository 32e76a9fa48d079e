// What matmul() and largest_products() share: the route of an instruction set, and the corrections of
// quantised rows. Internal to kernels/matmul.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/exec/exec.h"
#include "kernels/matmul/kernel_table.h"

namespace consort::matmul_detail {

const KernelTable& table_of(Isa isa);

// Room in exec.scratch for `rows` quantised rows of `cols` values.
Activations take_activations(Exec& exec, std::int64_t rows, std::int64_t cols);

// Room in exec.scratch for `tiles` unpacked tiles a worker.
class UnpackRoom {
 public:
  bool empty() const { return base_ == nullptr; }
  void take(Exec& exec, std::int64_t cols, int block_bytes, int tiles);
  UnpackedTile at(int worker, int tile) const;

 private:
  std::byte* base_ = nullptr;
  std::size_t codes_ = 0, scales_ = 0;
  int tiles_ = 0;
};

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
