#include "agents/calls/folder_reading.h"

#include <algorithm>
#include <filesystem>

namespace consort {
namespace {

namespace fs = std::filesystem;

std::string root_of(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {};
  std::string full = fs::weakly_canonical(path, error).generic_string();
  while (full.size() > 1 && full.back() == '/') full.pop_back();
  return error ? std::string() : full;
}

}  // namespace

FolderReading::FolderReading(Retrieval& memory, std::string name_space, const std::string& path,
                             std::vector<std::string> found, Durability durability)
    : memory_(memory),
      name_space_(std::move(name_space)),
      root_(root_of(path)),
      found_(std::move(found)),
      durability_(durability) {
  std::sort(found_.begin(), found_.end());
}

Result<bool> FolderReading::begin() {
  if (root_.empty()) return false;
  CONSORT_TRY(known, memory_.kept_sources(name_space_, root_));
  known_ = std::move(known);
  std::vector<std::string> all = known_;
  all.insert(all.end(), found_.begin(), found_.end());
  CONSORT_CHECK_OK(memory_.keep_sources(name_space_, root_, all, durability_));
  return true;
}

Result<Vanished> FolderReading::end() {
  Vanished vanished;
  if (root_.empty()) return vanished;
  std::vector<std::string> there = found_;
  for (const std::string& source : known_) {
    if (std::binary_search(found_.begin(), found_.end(), source)) continue;
    std::error_code error;
    if (fs::exists(fs::path(root_) / source, error) || error) {
      there.push_back(source);
      continue;
    }
    CONSORT_TRY(shared, memory_.other_roots_have(name_space_, root_, source));
    if (shared) continue;
    CONSORT_TRY(plan, memory_.plan_replace_source(name_space_, source, {}));
    CONSORT_CHECK_OK(memory_.commit(plan, durability_));
    vanished.erased += static_cast<std::size_t>(
        std::count_if(plan.items.begin(), plan.items.end(),
                      [](const ItemOutcome& item) { return item.change == ItemChange::kErased; }));
    vanished.sources.push_back(source);
  }
  CONSORT_CHECK_OK(memory_.keep_sources(name_space_, root_, there, durability_));
  return vanished;
}

}  // namespace consort
