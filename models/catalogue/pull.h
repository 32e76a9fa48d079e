// Puller: fetches one model's files. Used by Catalogue::pull; one call at a time, on a thread that may block.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "models/catalogue/catalogue.h"
#include "models/catalogue/staged_file.h"

namespace consort {

// kUsage: where the terms are and how to accept them.
tl::unexpected<Error> licence_missing(const CatalogueEntry& entry);

class Puller {
 public:
  Puller(std::string models_dir, std::string project_dir, const Catalogue::ProgressFn& progress);
  // How many files had to be fetched: 0 when every file was there with its digest.
  Result<std::size_t> pull(const CatalogueEntry& entry, bool licence_accepted);

 private:
  Status pull_file(const CatalogueFile& file);
  // Appends the file's bytes to `out` from the first that has them: local sources, parts, other sources. What
  // a failed one left is cut off. The error names every source that was tried and why it failed.
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
