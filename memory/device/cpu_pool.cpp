#include "memory/device/cpu_pool.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "memory/base/checked.h"
#include "memory/device/process_memory.h"

namespace consort {
namespace {

constexpr int kPressureRounds = 64;  // a hook that frees less than it is asked for may be called again

std::string owner_name(const Owner& o) {
  return fmt::format("{} of {}", o.purpose, o.name);
}

}  // namespace

Result<std::unique_ptr<CpuDevicePool>> CpuDevicePool::create(std::size_t limit_bytes) {
  if (limit_bytes < kGranuleBytes)
    return fail(ErrorKind::kInvalid, fmt::format("a memory limit of {} bytes is below 2 MiB", limit_bytes));
  CONSORT_TRY(file, GranuleFile::create());
  return std::unique_ptr<CpuDevicePool>(new CpuDevicePool(limit_bytes, std::move(file)));
}

Result<Region> CpuDevicePool::reserve(std::size_t address_bytes, Owner owner) {
  if (address_bytes == 0 || address_bytes > std::numeric_limits<std::size_t>::max() / 4)
    return fail(ErrorKind::kInvalid, fmt::format("cannot reserve {} bytes of addresses", address_bytes),
                owner_name(owner));
  const std::size_t reserved = round_up(address_bytes, kGranuleBytes);
  const std::size_t asked = reserved + kGranuleBytes;  // room to align to a granule
  void* got = mmap(nullptr, asked, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED)
    return fail(ErrorKind::kMemory, fmt::format("no {} MiB of address space are left", reserved >> 20),
                owner_name(owner));
  const auto start = reinterpret_cast<std::uintptr_t>(got);
  const std::uintptr_t aligned = round_up(start, kGranuleBytes);
  if (aligned > start) munmap(got, aligned - start);
  if (const std::size_t tail = start + asked - (aligned + reserved); tail > 0)
    munmap(reinterpret_cast<void*>(aligned + reserved), tail);

  Region region;
  auto* base = reinterpret_cast<std::byte*>(aligned);
  std::lock_guard lock(mutex_);
  const std::uint64_t id = next_id_++;
  regions_.emplace(id, Held{std::move(owner), base, reserved, 0, {}});
  fill(region, this, base, reserved, id);
  return region;
}

Status CpuDevicePool::book(std::size_t bytes, const Owner& owner,
                           const std::function<Status()>& under_lock) {
  for (int round = 0;; ++round) {
    std::function<bool(std::size_t)> hook;
    std::size_t missing = 0;
    {
      std::lock_guard lock(mutex_);
      if (bytes <= limit_ && committed_ <= limit_ - bytes) {
        CONSORT_CHECK_OK(under_lock());
        committed_ += bytes;
        peak_ = std::max(peak_, committed_);
        return {};
      }
      missing = bytes - std::min(bytes, limit_ - std::min(limit_, committed_));
      hook = hook_;
    }
    if (!hook || round >= kPressureRounds || !hook(missing)) {
      return fail(ErrorKind::kMemory,
                  fmt::format("the memory limit of {} MiB leaves no {} MiB more", limit_ >> 20, bytes >> 20),
                  owner_name(owner), "raise the limit, unload a model or use fewer sequences");
    }
  }
}

// Takes `count` granules for `held`.
Status CpuDevicePool::take(std::size_t count, Held& held, Taken& taken) {
  return book(count * kGranuleBytes, held.owner, [&]() -> Status {
    const std::size_t recycled = std::min(count, free_backed_.size() + free_empty_.size());
    CONSORT_CHECK_OK(file_.grow(next_ + (count - recycled)));
    const auto from_set = [&](std::set<GranuleIndex>& set, bool dirty) {
      while (taken.granules.size() < count && !set.empty()) {
        taken.granules.push_back(set.extract(set.begin()).value());
        taken.dirty.push_back(dirty);
      }
    };
    from_set(free_backed_, true);
    from_set(free_empty_, false);
    while (taken.granules.size() < count) {
      taken.granules.push_back(next_++);
      taken.dirty.push_back(false);
    }
    held.granules.insert(held.granules.end(), taken.granules.begin(), taken.granules.end());
    return {};
  });
}

Status CpuDevicePool::commit(Region& region, std::size_t bytes) {
  if (bytes > region.reserved())
    return fail(ErrorKind::kMemory,
                fmt::format("{} MiB asked of a range of {} MiB", bytes >> 20, region.reserved() >> 20));
  Held* held = nullptr;
  {
    std::lock_guard lock(mutex_);
    held = &regions_.at(id_of(region));  // stays in place: only this region's thread removes it
    if (held->file_bytes > 0 && bytes > held->file_bytes)
      return fail(ErrorKind::kInvalid, "a mapped file does not grow", owner_name(held->owner));
    if (held->file_bytes > 0) return {};
    const std::size_t want = round_up(bytes, kGranuleBytes) / kGranuleBytes;
    if (want <= held->granules.size()) {
      held->used = std::max(held->used, bytes);
      set_committed(region, region.committed(), held->used);
      return {};
    }
  }
  const std::size_t before = held->granules.size();
  const std::size_t count = round_up(bytes, kGranuleBytes) / kGranuleBytes - before;
  Taken taken;
  CONSORT_CHECK_OK(take(count, *held, taken));
  std::byte* at = held->base + before * kGranuleBytes;
  if (auto mapped = file_.map(at, taken.granules); !mapped) {
    give_back(*held, before, true);
    return mapped;
  }
  for (std::size_t i = 0; i < count; ++i)
    if (taken.dirty[i]) std::memset(at + i * kGranuleBytes, 0, kGranuleBytes);
  std::lock_guard lock(mutex_);
  held->used = bytes;
  set_committed(region, held->granules.size() * kGranuleBytes, bytes);
  return {};
}

// Returns the granules behind the first `keep`. `discard`: also their memory (after a failed mapping).
void CpuDevicePool::give_back(Held& held, std::size_t keep, bool discard) {
  if (keep >= held.granules.size()) return;
  GranuleFile::unmap(held.base + keep * kGranuleBytes, held.granules.size() - keep);
  std::lock_guard lock(mutex_);
  for (std::size_t i = keep; i < held.granules.size(); ++i) {
    if (discard) file_.discard(held.granules[i]);
    (discard ? free_empty_ : free_backed_).insert(held.granules[i]);
  }
  committed_ -= (held.granules.size() - keep) * kGranuleBytes;
  held.granules.resize(keep);
}

void CpuDevicePool::trim(Region& region, std::size_t bytes) {
  Held* held = nullptr;
  {
    std::lock_guard lock(mutex_);
    held = &regions_.at(id_of(region));
    if (held->file_bytes > 0) return;
  }
  give_back(*held, round_up(std::min(bytes, region.committed()), kGranuleBytes) / kGranuleBytes, false);
  std::lock_guard lock(mutex_);
  held->used = std::min(held->used, bytes);
  set_committed(region, held->granules.size() * kGranuleBytes, held->used);
}

void CpuDevicePool::release(Region& region) {
  Held* held = nullptr;
  {
    std::lock_guard lock(mutex_);
    held = &regions_.at(id_of(region));
  }
  give_back(*held, 0, false);
  munmap(held->base, held->reserved);
  std::lock_guard lock(mutex_);
  committed_ -= held->file_bytes;
  regions_.erase(id_of(region));
}

Result<Region> CpuDevicePool::map_file(int descriptor, std::size_t bytes, Owner owner) {
  struct stat info {};
  if (::fstat(descriptor, &info) != 0)
    return fail(ErrorKind::kIo, fmt::format("cannot map a file: {}", strerror(errno)), owner_name(owner));
  if (bytes == 0 || !S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) < bytes)
    return fail(ErrorKind::kInvalid, fmt::format("no file of {} bytes to map", bytes), owner_name(owner));
  const std::size_t pages = round_up(bytes, static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
  CONSORT_TRY(region, reserve(pages, std::move(owner)));
  Held* held = nullptr;
  {
    std::lock_guard lock(mutex_);
    held = &regions_.at(id_of(region));
  }
  CONSORT_CHECK_OK(book(pages, held->owner, [&]() -> Status {
    held->file_bytes = pages;  // the region gives it back from here on, whatever fails
    held->used = bytes;
    return {};
  }));
  if (const int error = map_file_pages(held->base, pages, descriptor); error != 0)
    return fail(ErrorKind::kIo, fmt::format("cannot map a file: {}", strerror(error)), owner_name(held->owner));
  set_committed(region, pages, bytes);
  return region;
}

std::size_t CpuDevicePool::resident_file_bytes() const {
  std::vector<std::pair<const std::byte*, std::size_t>> ranges;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, held] : regions_)
      if (held.file_bytes > 0) ranges.emplace_back(held.base, held.file_bytes);
  }
  std::size_t bytes = 0;
  for (const auto& [base, size] : ranges) bytes += present_bytes(base, size);
  return bytes;
}

PoolStats CpuDevicePool::stats() const {
  std::map<Owner, OwnerStats> rows;
  PoolStats out;
  std::lock_guard lock(mutex_);
  for (const auto& [id, held] : regions_) {
    OwnerStats& row = rows[held.owner];
    row.owner = held.owner;
    row.committed_bytes += held.granules.size() * kGranuleBytes + held.file_bytes;
    row.file_bytes += held.file_bytes;
    row.reserved_bytes += held.reserved;
    row.used_bytes += held.used;
  }
  for (auto& [owner, row] : rows) out.owners.push_back(std::move(row));
  out.limit_bytes = limit_;
  out.committed_bytes = committed_;
  out.peak_bytes = peak_;
  out.free_granules = free_backed_.size();
  return out;
}

void CpuDevicePool::set_pressure_hook(std::function<bool(std::size_t)> hook) {
  std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

void CpuDevicePool::trim_free() {
  std::lock_guard lock(mutex_);
  for (GranuleIndex g : free_backed_) file_.discard(g);
  free_empty_.merge(free_backed_);
  free_backed_.clear();
}

}  // namespace consort
