// A file mapped read-only into this process. Owned by the weight source that reads it; immutable after open,
// any thread may read. The file must not be shortened while it is mapped.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "memory/base/status.h"
#include "models/formats/file_identity.h"

namespace consort {

class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  // Errors: kNotFound when there is no such file, kInvalid when it is not a regular file, kIo otherwise.
  static Result<MappedFile> open(const std::string& path);

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::size_t size() const { return size_; }
  const std::string& path() const { return identity_.path; }
  const FileIdentity& identity() const { return identity_; }  // of the file that is mapped

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  FileIdentity identity_;
};

}  // namespace consort
