// StagedFile: a file that appears under its name only when it is whole. FileLock: one process at a time. Both
// belong to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "memory/base/status.h"

namespace consort {

// Written under a temporary name; publish() syncs it and gives it its name; otherwise the destructor removes
// it.
class StagedFile {
 public:
  // Creates or empties `temporary`. Errors: kIo.
  static Result<StagedFile> create(const std::string& temporary);
  StagedFile(StagedFile&& other) noexcept;
  StagedFile& operator=(StagedFile&&) = delete;
  ~StagedFile();

  Status append(const void* data, std::size_t bytes);  // kIo: "disk full" and others
  std::uint64_t size() const { return size_; }
  Status cut(std::uint64_t size);  // back to an earlier size
  const std::string& path() const { return path_; }
  // Modification time, whole seconds since 1970; a later append() changes it again. Errors: kIo.
  Status set_time(std::int64_t seconds);
  // fsync, rename to `name` (its folders are made), fsync of the folder. Errors: kIo.
  Status publish(const std::string& name);

 private:
  StagedFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

class FileLock {
 public:
  // Waits for the lock, calling `waiting` several times a second; false stops with kCancelled. Errors: kIo.
  static Result<FileLock> take(const std::string& path, const std::function<bool()>& waiting);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

Status make_folders(const std::string& path);  // kIo

}  // namespace consort
