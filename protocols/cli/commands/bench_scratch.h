// What benches write: a folder of their own beside the user's data, on the disk that runs would use. Gone
// with the bench.
#pragma once

#include <memory>
#include <string>

#include "memory/store/store.h"
#include "protocols/cli/context.h"

namespace consort::bench {

class ScratchFolder {
 public:
  // Errors: kIo when it cannot be made.
  static Result<std::unique_ptr<ScratchFolder>> make(const CliContext& c);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

// A store in such a folder.
class ScratchStore {
 public:
  // Errors: those of ScratchFolder::make and Store::open.
  static Result<std::unique_ptr<ScratchStore>> open(const CliContext& c);
  Store& store() { return *store_; }

 private:
  ScratchStore() = default;
  std::unique_ptr<ScratchFolder> folder_;  // before the store that lies in it
  std::unique_ptr<Store> store_;
};

}  // namespace consort::bench
