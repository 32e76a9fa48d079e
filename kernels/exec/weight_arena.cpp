#include "kernels/exec/weight_arena.h"

#include <algorithm>

namespace consort {
namespace {
constexpr std::size_t kAlign = 64;
constexpr std::size_t kGrowBytes =
    8u << 20;  // commits in steps, so that small matrices do not call the pool each
}  // namespace

Result<WeightArena> WeightArena::create(DevicePool& pool, Owner owner, std::size_t address_bytes) {
  CONSORT_TRY(region, pool.reserve(address_bytes, std::move(owner)));
  WeightArena arena;
  arena.pool_ = &pool;
  arena.region_ = std::move(region);
  return arena;
}

Result<std::byte*> WeightArena::take(std::size_t bytes) {
  if (pool_ == nullptr) return fail(ErrorKind::kInvalid, "weight arena is empty");
  const std::size_t left = region_.reserved() - used_;
  if (bytes > left || ((bytes + kAlign - 1) & ~(kAlign - 1)) > left)
    return fail(ErrorKind::kMemory, "the weights do not fit the arena's addresses");
  const std::size_t end = used_ + ((bytes + kAlign - 1) & ~(kAlign - 1));
  if (end > region_.committed()) {
    const std::size_t roomy = std::min(region_.reserved(), std::max(end, region_.committed() + kGrowBytes));
    if (!pool_->commit(region_, roomy)) CONSORT_CHECK_OK(pool_->commit(region_, end));
  }
  std::byte* at = region_.data() + used_;
  used_ = end;
  return at;
}

Result<std::span<float>> WeightArena::copy(std::span<const float> values) {
  CONSORT_TRY(at, take(values.size_bytes()));
  auto* floats = reinterpret_cast<float*>(at);
  std::copy(values.begin(), values.end(), floats);
  return std::span<float>(floats, values.size());
}

}  // namespace consort
