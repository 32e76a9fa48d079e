// For tests: a directory that vanishes with its test. In memory (/dev/shm) where there is room for that,
// because the mutation and crash tests copy thousands of small stores.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace consort::testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::error_code error;
    const bool shared = std::filesystem::is_directory("/dev/shm", error) && ::access("/dev/shm", W_OK) == 0;
    const std::filesystem::path base = shared ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string form = (base / "consort-test-XXXXXX").string();
    path_ = ::mkdtemp(form.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace consort::testing
