#include "models/catalogue/catalogue.h"

#include <sys/stat.h>

#include <algorithm>

#include "models/catalogue/digest.h"
#include "models/catalogue/pull.h"

namespace consort {
namespace {

bool has_size(const std::string& path, std::uint64_t bytes) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         static_cast<std::uint64_t>(info.st_size) == bytes;
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

void add_name(std::string& list, const std::string& name) {
  list += (list.empty() ? "" : ", ") + name;
}

// The main file of a model whose files all lie in the project's own tree: read where it lies, no pull needed.
std::string bundled_main_file(const CatalogueEntry& entry, const std::string& project_dir) {
  std::string main;
  for (const CatalogueFile& file : entry.files) {
    const auto bundled = std::find_if(file.sources.begin(), file.sources.end(), [&](const auto& source) {
      return source.kind == CatalogueSource::Kind::kBundled &&
             has_size(project_dir + "/" + source.path, file.bytes);
    });
    if (bundled == file.sources.end()) return {};
    if (file.name == entry.main_file) main = project_dir + "/" + bundled->path;
  }
  return main;
}

}  // namespace

const CatalogueEntry* Catalogue::find(std::string_view id) const {
  const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.id == id; });
  return it == entries_.end() ? nullptr : &*it;
}

bool Catalogue::present(const CatalogueEntry& e) const {
  return std::all_of(e.files.begin(), e.files.end(), [&](const CatalogueFile& file) {
    return has_size(folder(e) + "/" + file.name, file.bytes);
  });
}

Result<std::string> Catalogue::resolve(std::string_view id_or_path) const {
  const std::string text(id_or_path);
  if (const CatalogueEntry* entry = find(id_or_path)) {
    if (present(*entry))
      return entry->main_file.empty() ? folder(*entry) : folder(*entry) + "/" + entry->main_file;
    if (std::string path = bundled_main_file(*entry, project_dir_); !path.empty()) return path;
    return fail(ErrorKind::kNotFound, "the model " + entry->id + " is not on this machine, or not whole",
                folder(*entry), "run `consort models pull " + entry->id + "`");
  }
  if (!text.empty() && exists(text)) return text;
  std::string known;
  for (const auto& entry : entries_) add_name(known, entry.id);
  return fail(ErrorKind::kNotFound, "no model and no file of this name", text,
              "known models: " + known + "; or give a GGUF file or a Hugging Face folder");
}

Result<std::size_t> Catalogue::pull(const CatalogueEntry& e, bool licence_accepted,
                                    const ProgressFn& progress) const {
  const bool accepted = licence_accepted || e.licence_key.empty();
  if (!accepted && !present(e)) return licence_missing(e);  // before anything is written
  return Puller(models_dir_, project_dir_, progress).pull(e, accepted);
}

Status Catalogue::verify(const CatalogueEntry& e, const ProgressFn& progress) const {
  std::string missing, damaged;
  for (const auto& file : e.files) {
    const std::string path = folder(e) + "/" + file.name;
    if (!exists(path)) {
      add_name(missing, file.name);
      continue;
    }
    bool good = has_size(path, file.bytes);
    if (good) {
      CONSORT_TRY(digest, sha256_file(path, [&](std::uint64_t done) {
                    return !progress || progress({file.name, done, file.bytes, "verify"});
                  }));
      good = digest == file.sha256;
    }
    if (!good) add_name(damaged, file.name);
  }
  const std::string hint = "run `consort models pull " + e.id + "`";
  if (!damaged.empty()) {
    const std::string also = missing.empty() ? "" : "; missing: " + missing;
    return fail(ErrorKind::kCorrupt, "files differ from their digest: " + damaged + also, folder(e), hint);
  }
  if (!missing.empty()) return fail(ErrorKind::kNotFound, "files are missing: " + missing, folder(e), hint);
  return {};
}

}  // namespace consort
