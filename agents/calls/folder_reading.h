// FolderReading: lets a memory forget what the files of a folder gave that are no longer there. The names
// that a folder gave are kept in the memory beside the items (Retrieval::keep_sources), by the folder's full
// path. Used by ingest_path, one for each reading; its functions block and are called one after the other.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "memory/retrieval/retrieval.h"

namespace consort {

struct Vanished {
  std::vector<std::string> sources;  // files that are gone and whose items were erased, sorted
  std::size_t erased = 0;            // how many items those were
};

class FolderReading {
 public:
  // `path`: what is read; a single file forgets nothing. `found`: the files of this reading, by their names
  // in the memory (relative to the folder).
  FolderReading(Retrieval& memory, std::string name_space, const std::string& path,
                std::vector<std::string> found, Durability durability);

  // Before the first file: notes the new names beside the old ones, so that an interrupted reading loses
  // none. Returns whether there is a folder. Errors: those of the store.
  Result<bool> begin();
  // After the last one: erases the items of files that this folder gave once and that do not exist any more,
  // unless another folder of the namespace has a file of that name. A file that this reading passed over
  // (another kind of file, another option) and that is still there keeps its items.
  Result<Vanished> end();

 private:
  Retrieval& memory_;
  std::string name_space_, root_;  // root_: empty for a single file
  std::vector<std::string> found_, known_;
  Durability durability_;
};

}  // namespace consort
