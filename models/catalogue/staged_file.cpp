#include "models/catalogue/staged_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

namespace consort {
namespace {

tl::unexpected<Error> io_error(const char* what, const std::string& path) {
  const int error = errno;
  return fail(ErrorKind::kIo, std::string(what) + ": " + std::strerror(error), path,
              error == ENOSPC || error == EDQUOT
                  ? "the disk is full: free some space and run the command again"
                  : "check the folder's permissions");
}

}  // namespace

Status make_folders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail(ErrorKind::kIo, "cannot make the folder: " + error.message(), path);
  return {};
}

Result<StagedFile> StagedFile::create(const std::string& temporary) {
  const int fd = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return io_error("cannot create", temporary);
  return StagedFile(temporary, fd);
}

StagedFile::StagedFile(StagedFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

StagedFile::~StagedFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(path_.c_str());
}

Status StagedFile::append(const void* data, std::size_t bytes) {
  const char* p = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::write(fd_, p, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return io_error("cannot write", path_);
    p += n;
    bytes -= static_cast<std::size_t>(n);
    size_ += static_cast<std::uint64_t>(n);
  }
  return {};
}

Status StagedFile::cut(std::uint64_t size) {
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0 || ::lseek(fd_, static_cast<off_t>(size), SEEK_SET) < 0)
    return io_error("cannot shorten", path_);
  size_ = size;
  return {};
}

Status StagedFile::set_time(std::int64_t seconds) {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  if (::futimens(fd_, times) != 0) return io_error("cannot set the time of", path_);
  return {};
}

Status StagedFile::publish(const std::string& name) {
  const std::string folder = std::filesystem::path(name).parent_path().string();
  CONSORT_CHECK_OK(make_folders(folder));
  if (::fsync(fd_) != 0) return io_error("cannot write", path_);
  if (::rename(path_.c_str(), name.c_str()) != 0) return io_error("cannot rename", name);
  ::close(std::exchange(fd_, -1));
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {  // the name itself survives a power cut only once its folder is on disk
    ::fsync(directory);
    ::close(directory);
  }
  return {};
}

Result<FileLock> FileLock::take(const std::string& path, const std::function<bool()>& waiting) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return io_error("cannot create the lock file", path);
  FileLock lock(fd);
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return io_error("cannot lock", path);
    if (!waiting()) return fail(ErrorKind::kCancelled, "stopped while waiting for another process", path);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);  // closing releases the lock
}

}  // namespace consort
