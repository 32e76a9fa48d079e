#include <algorithm>
#include <new>

#include "kernels/exec/exec.h"

namespace consort {
namespace {
constexpr std::size_t kAlign = 64;  // a cache line, an AVX-512 vector
}

ScratchArena::ScratchArena(DevicePool& pool, Owner owner, std::size_t address_bytes) : pool_(pool) {
  auto region = pool.reserve(address_bytes, std::move(owner));
  if (!region) throw std::bad_alloc();
  region_ = std::move(*region);
}

ScratchArena::~ScratchArena() = default;

std::byte* ScratchArena::take(std::size_t bytes) {
  const std::size_t left = region_.reserved() - top_;
  if (bytes > left || ((bytes + kAlign - 1) & ~(kAlign - 1)) > left) throw std::bad_alloc();
  const std::size_t end = top_ + ((bytes + kAlign - 1) & ~(kAlign - 1));
  if (end > region_.committed() && !pool_.commit(region_, end)) throw std::bad_alloc();
  std::byte* at = region_.data() + top_;
  top_ = end;
  high_water_ = std::max(high_water_, top_);
  return at;
}

TensorView ScratchArena::tensor(DType dtype, std::initializer_list<std::int64_t> dims) {
  std::size_t rows = 1, cols = 1;
  for (const std::int64_t d : dims) {
    rows *= cols;
    cols = static_cast<std::size_t>(d);
  }
  return make_view(take(rows * row_bytes(dtype, cols)), dtype, dims, pool_.device());
}

void ScratchArena::trim() {
  pool_.trim(region_, top_);
}

}  // namespace consort
