// FileIdentity: what the system says of a file when it is opened. Equal identities mean that nobody has written
// to the file, moved another into its place or touched its attributes since (the change time cannot be set).
#pragma once

#include <cstdint>
#include <string>

struct stat;

namespace consort {

struct FileIdentity {
  std::string path;  // as it was opened
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;  // since 1970
  bool operator==(const FileIdentity&) const = default;
};

FileIdentity file_identity(std::string path, const struct stat& info);

}  // namespace consort
