#include "protocols/cli/commands/bench_scratch.h"

#include <unistd.h>

#include <filesystem>

#include <fmt/format.h>

namespace consort::bench {

Result<std::unique_ptr<ScratchFolder>> ScratchFolder::make(const CliContext& c) {
  std::string path = c.options.data_dir + fmt::format("/bench-{}", ::getpid());
  std::error_code ec;
  std::filesystem::create_directories(path, ec);
  if (ec)
    return fail(ErrorKind::kIo, "the data directory cannot be made: " + ec.message(), path,
                "choose another with --data-dir");
  return std::unique_ptr<ScratchFolder>(new ScratchFolder(std::move(path)));
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Result<std::unique_ptr<ScratchStore>> ScratchStore::open(const CliContext& c) {
  auto made = std::unique_ptr<ScratchStore>(new ScratchStore);
  CONSORT_TRY(folder, ScratchFolder::make(c));
  made->folder_ = std::move(folder);
  CONSORT_TRY(opened, Store::open(made->folder_->path() + "/store"));
  made->store_ = std::move(opened);
  return made;
}

}  // namespace consort::bench
