// Reads files into the retrieval memory: cut into pieces, embedded over the bus, one commit a file. Behind
// the command `consort memory ingest`.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "agents/calls/pictures.h"
#include "memory/retrieval/code_splitter.h"
#include "memory/retrieval/retrieval.h"
#include "memory/retrieval/text_splitter.h"

namespace consort {

struct IngestOptions {
  std::string name_space;
  std::string model = kDefaultEmbedder;  // empty: no vectors, only search by words finds the items
  SplitOptions split;
  std::vector<std::string> extensions{".md", ".markdown", ".txt"};  // of files inside a folder
  // Pictures of a folder (.jpg, .jpeg, .png, .webp), or the one file: read when this is set. `blobs` keeps
  // them.
  std::optional<ProjectionOptions> pictures;
  BlobStore* blobs = nullptr;
  // Source files instead of texts: whatever `classifier` (a model of files; empty: the files' endings) takes
  // for code, cut into functions and classes. Hidden folders, build outputs and fetched packages are left
  // out.
  bool code = false;
  std::string classifier = "magika";
  CodeSplitOptions code_split;
  Durability durability = Durability::kAsync;
  std::function<void(std::size_t done, std::size_t total)>
      on_file;  // after each file, on the coroutine's thread
};

struct IngestFailure {
  std::string file;
  Error error;
};
struct IngestReport {
  std::size_t files = 0, items = 0;  // read; pieces in them
  std::size_t passed_over = 0;       // with `code`: files that are no source code
  std::size_t created = 0, updated = 0, unchanged = 0, erased = 0;
  std::size_t truncated = 0;  // items whose end the encoder did not see
  std::vector<std::string>
      vanished;  // files of the folder's last reading that are gone: their items were erased
  std::vector<IngestFailure> failures;  // files that were left out, and why; the rest went on
  Usage usage;
};

inline constexpr std::size_t kMaxIngestFileBytes = 16u << 20;

// `path`: a file, or a folder whose files (in it and below, in the order of their names) are read. An item's
// source is the file's path inside the folder, its external id "<source>#<position>", its metadata {title,
// section, position, line}; a picture is one item with the file's path as its id (pictures.h); pieces of
// code: code_items.h. Models are asked in the class kBatch and the rest is done on the background pool, so that
// conversations beside it hardly notice. A file that was read before replaces what it gave then; what a file gave that is gone
// from the folder is erased (folder_reading.h). Errors: kNotFound (path), kInvalid (namespace), those of the
// model and the store; a single bad file is a failure of the report.
Async<IngestReport> ingest_path(Retrieval& memory, ModelDirectory* models, std::string path,
                                IngestOptions options, RequestContext context);

}  // namespace consort
