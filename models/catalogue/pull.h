// Puller: fetches one model's files. Used by Catalogue::pull; one call at a time, on a thread that may block.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "models/catalogue/catalogue.h"
#include "models/catalogue/staged_file.h"

namespace consort {

class Puller {
 public:
  Puller(std::string models_dir, std::string project_dir, const Catalogue::ProgressFn& progress);
  Status pull(const CatalogueEntry& entry);

 private:
  Status pull_file(const CatalogueFile& file);
  // Appends the file's bytes to `out` from the first source that has them; what a failed source left is cut
  // off.
  Status append_from_sources(const CatalogueFile& file, StagedFile& out);
  Status append_from(const CatalogueSource& source, const CatalogueFile& file, StagedFile& out);
  Status append_parts(const CatalogueFile& file, StagedFile& out);
  Status append_path(const std::string& path, const CatalogueFile& file, StagedFile& out);
  // The wheel in the staging folder with its digest checked; downloads it when it is not there.
  Result<std::string> wheel(const CatalogueSource& source, const CatalogueFile& file);
  Status download_wheel(const CatalogueSource& source, const CatalogueFile& file, const std::string& folder);
  Result<std::string> download_url(const CatalogueSource& source, const CatalogueFile& file);
  Result<bool> is_good(const std::string& path, const CatalogueFile& file);
  bool report(const std::string& file, std::uint64_t done, std::uint64_t total, const char* stage) const;

  std::string models_dir_, project_dir_;
  const Catalogue::ProgressFn& progress_;
  std::string folder_, staging_;       // of the model being pulled
  std::set<std::string> good_wheels_;  // digest checked in this pull
};

}  // namespace consort
