#include "models/formats/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace consort {
namespace {

std::int64_t nanoseconds(const timespec& t) {
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

FileIdentity file_identity(std::string path, const struct stat& info) {
  return {std::move(path),
          static_cast<std::uint64_t>(info.st_dev),
          static_cast<std::uint64_t>(info.st_ino),
          static_cast<std::uint64_t>(info.st_size),
          nanoseconds(info.st_mtim),
          nanoseconds(info.st_ctim)};
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      identity_(std::move(other.identity_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(identity_, other.identity_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

Result<MappedFile> MappedFile::open(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer; it is refused below.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR)
      return fail(ErrorKind::kNotFound, "no such file", path, "check the path, or `consort models list`");
    return fail(ErrorKind::kIo, std::string("cannot open: ") + std::strerror(error), path);
  }
  struct stat info {};
  MappedFile file;
  file.identity_.path = path;
  Status status;
  if (::fstat(fd, &info) != 0) {
    status = fail(ErrorKind::kIo, std::string("cannot read: ") + std::strerror(errno), path);
  } else if (!S_ISREG(info.st_mode)) {
    status = fail(ErrorKind::kInvalid, "not a regular file", path);
  } else if (file.identity_ = file_identity(path, info); info.st_size > 0) {
    file.size_ = static_cast<std::size_t>(info.st_size);
    void* address = ::mmap(nullptr, file.size_, PROT_READ, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) {
      file.size_ = 0;
      status = fail(ErrorKind::kIo, std::string("cannot map: ") + std::strerror(errno), path);
    } else {
      file.data_ = static_cast<const std::byte*>(address);
    }
  }
  ::close(fd);
  if (!status) return forward_error(status);
  return file;
}

}  // namespace consort
