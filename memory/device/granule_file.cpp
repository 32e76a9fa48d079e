#include "memory/device/granule_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace consort {
namespace {

// Linux 5.14; the headers may be older than the kernel.
constexpr int kPopulateRead = 22;
constexpr int kPopulateWrite = 23;

// Makes every page of [address, address + bytes) present for reading, or for writing. Old kernels do not know
// the call: touch instead. 0, or an errno.
int populate(std::byte* address, std::size_t bytes, int how) {
  int rc = 0;
  do {
    rc = madvise(address, bytes, how);
  } while (rc != 0 && (errno == EINTR || errno == EAGAIN));
  if (rc == 0) return 0;
  if (errno != EINVAL) return errno;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  for (std::size_t at = 0; at < bytes; at += page) {
    auto* p = reinterpret_cast<volatile unsigned char*>(address + at);
    const unsigned char value = *p;
    if (how == kPopulateWrite) *p = value;
  }
  return 0;
}

}  // namespace

Result<GranuleFile> GranuleFile::create() {
  const int fd = memfd_create("consort-pool", MFD_CLOEXEC);
  if (fd < 0)
    return fail(ErrorKind::kMemory, fmt::format("cannot create the memory pool: {}", strerror(errno)));
  return GranuleFile(fd);
}

GranuleFile::GranuleFile(GranuleFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), count_(std::exchange(other.count_, 0)) {}

GranuleFile::~GranuleFile() {
  if (fd_ >= 0) close(fd_);
}

Status GranuleFile::grow(std::size_t count) {
  if (count <= count_) return {};
  if (ftruncate(fd_, static_cast<off_t>(count * kGranuleBytes)) != 0)
    return fail(ErrorKind::kMemory, fmt::format("cannot grow the memory pool: {}", strerror(errno)));
  count_ = count;
  return {};
}

Status GranuleFile::map(std::byte* address, std::span<const GranuleIndex> granules) const {
  std::size_t i = 0;
  while (i < granules.size()) {  // one mapping for each run of neighbours keeps the number of mappings low
    std::size_t run = 1;
    while (i + run < granules.size() && granules[i + run] == granules[i] + run) ++run;
    const std::size_t bytes = run * kGranuleBytes;
    std::byte* at = address + i * kGranuleBytes;
    void* got = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd_,
                     static_cast<off_t>(granules[i]) * static_cast<off_t>(kGranuleBytes));
    if (got == MAP_FAILED)
      return fail(ErrorKind::kMemory, fmt::format("cannot map pool memory: {}", strerror(errno)));
    madvise(at, bytes, MADV_HUGEPAGE);  // fewer TLB misses where the kernel allows it; no harm where not
    if (const int error = populate(at, bytes, kPopulateWrite); error != 0)
      return fail(ErrorKind::kMemory,
                  fmt::format("the operating system has no {} MiB for the memory pool: {}", bytes >> 20,
                              strerror(error)),
                  {}, "free memory or lower the pool's limit");
    i += run;
  }
  return {};
}

void GranuleFile::unmap(std::byte* address, std::size_t granules) {
  mmap(address, granules * kGranuleBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
       -1, 0);
}

void GranuleFile::discard(GranuleIndex granule) const {
  fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
            static_cast<off_t>(granule) * static_cast<off_t>(kGranuleBytes),
            static_cast<off_t>(kGranuleBytes));
}

int map_file_pages(std::byte* address, std::size_t bytes, int descriptor) {
  void* got = mmap(address, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor, 0);
  if (got == MAP_FAILED) return errno;
  madvise(address, bytes, MADV_HUGEPAGE);  // huge pages also where the file must first be read
  return populate(address, bytes, kPopulateRead);
}

}  // namespace consort
