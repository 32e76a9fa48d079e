#include "memory/device/device_pool.h"

#include <utility>

#include "memory/device/cpu_pool.h"

namespace consort {

Region::Region(Region&& other) noexcept {
  *this = std::move(other);
}

Region& Region::operator=(Region&& other) noexcept {
  if (this == &other) return *this;
  if (pool_ != nullptr) pool_->release(*this);
  pool_ = std::exchange(other.pool_, nullptr);
  data_ = std::exchange(other.data_, nullptr);
  committed_ = std::exchange(other.committed_, 0);
  reserved_ = std::exchange(other.reserved_, 0);
  used_ = std::exchange(other.used_, 0);
  id_ = std::exchange(other.id_, 0);
  return *this;
}

Region::~Region() {
  if (pool_ != nullptr) pool_->release(*this);
}

Result<std::unique_ptr<DevicePool>> DevicePool::create_cpu(std::size_t limit_bytes) {
  CONSORT_TRY(pool, CpuDevicePool::create(limit_bytes));
  return std::unique_ptr<DevicePool>(std::move(pool));
}

Result<Region> DevicePool::allocate(std::size_t bytes, Owner owner) {
  CONSORT_TRY(region, reserve(bytes, std::move(owner)));
  CONSORT_CHECK_OK(commit(region, bytes));
  return region;
}

void DevicePool::fill(Region& r, DevicePool* pool, std::byte* data, std::size_t reserved, std::uint64_t id) {
  r.pool_ = pool;
  r.data_ = data;
  r.committed_ = 0;
  r.used_ = 0;
  r.reserved_ = reserved;
  r.id_ = id;
}

void DevicePool::set_committed(Region& r, std::size_t committed, std::size_t used) {
  r.committed_ = committed;
  r.used_ = used;
}

std::uint64_t DevicePool::id_of(const Region& r) {
  return r.id_;
}

}  // namespace consort
