// The catalogue of known models (configs/models.json) and how to get them: pinned digests, downloads through
// the package client with progress, resumable; every file may list several sources, tried in order.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "memory/base/status.h"

namespace consort {

// Where a file's bytes can come from. Local kinds (bundled, path) are tried first, then the others in order.
struct CatalogueSource {
  enum class Kind { kPypiMember, kBundled, kPath, kUrl } kind = Kind::kPypiMember;
  std::string package, version, wheel, wheel_sha256, member;  // kPypiMember
  std::string path;  // kBundled (relative to the project); kPath: a leading
                     // $NAME is an environment variable, passed over when unset
  std::string url;   // kUrl
};
struct CatalogueFile {
  std::string name;  // name in the model's folder, e.g. "model.safetensors", "1_Pooling/config.json"
  std::string role;  // weights | tokenizer | config | licence | ...
  std::string sha256;
  std::uint64_t bytes = 0;
  std::vector<CatalogueSource> sources;
  // A file assembled from parts, in order: each part is a CatalogueFile of its own. `sources` above, where
  // there are any, give the whole file: the local ones are tried before the parts, the others after them.
  std::vector<CatalogueFile> parts;
};
struct CatalogueEntry {
  std::string description, upstream;
  std::string id, kind, architecture, licence, licence_key, terms;  // licence_key: e.g. "gemma", else empty
  std::string query_prefix, document_prefix;                        // encoders
  std::string main_file;  // what open_weights() gets, relative to the model's folder; "" = the folder itself
  std::vector<CatalogueFile> files;
};

class Catalogue {
 public:
  // Errors: kInvalid with a JSON Pointer for unknown keys and wrong types.
  static Result<Catalogue> load(const std::string& models_json, std::string models_dir,
                                std::string project_dir);
  const std::vector<CatalogueEntry>& entries() const { return entries_; }
  const CatalogueEntry* find(std::string_view id) const;
  const std::string& models_dir() const { return models_dir_; }
  std::string folder(const CatalogueEntry& e) const { return models_dir_ + "/" + e.id; }

  // A catalogue id, or a path to a GGUF file or a folder, becomes a path for open_weights(). Errors:
  // kNotFound says `consort models pull ID` when a known model is not there.
  Result<std::string> resolve(std::string_view id_or_path) const;

  struct Progress {
    std::string file;
    std::uint64_t done = 0, total = 0;
    std::string stage;  // "download", "verify", "unpack"
  };
  using ProgressFn = std::function<bool(const Progress&)>;  // false = stop (kCancelled), partial files stay
  // Fetches what is missing or has another digest into folder(e) and returns how many files that were.
  // Blocks; call it off the event loop. A file appears under its name only whole and with the right digest
  // (temporary file, fsync, rename). Packages that arrived are kept in models_dir/.staging until the model is
  // complete, so an interrupted pull goes on where it was. One process pulls a model at a time; a second
  // waits. Errors: kUsage when something must be fetched and the licence is not accepted (says where the
  // terms are and how), kCancelled, kUnavailable (no package client, no network), kCorrupt (another digest
  // from every source that answered), kNotFound (no source has the file), kIo (disk full, permission). The
  // text names every source tried and why it failed.
  Result<std::size_t> pull(const CatalogueEntry& e, bool licence_accepted, const ProgressFn& progress) const;
  // Reads every file. Errors: kNotFound for missing, kCorrupt for files with another size or digest, all
  // named.
  Status verify(const CatalogueEntry& e, const ProgressFn& progress) const;
  bool present(const CatalogueEntry& e) const;  // all files there with the right sizes

 private:
  std::vector<CatalogueEntry> entries_;
  std::string models_dir_, project_dir_;
};

}  // namespace consort
