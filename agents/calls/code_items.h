// Source files as items of the retrieval memory: the language told by the content-type classifier, the file
// cut into functions and classes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "memory/retrieval/code_splitter.h"
#include "memory/retrieval/item.h"
#include "scheduler/host/model_directory.h"
#include "scheduler/host/model_handle.h"

namespace consort {

// The language of each file ("python", "cpp"; "" when it is no source code). `classifier`: a model of files,
// or empty: by the names' endings, which also decide where the model says only "txt" or "unknown". The texts
// and names run beside each other. Errors: those of the model.
Async<std::vector<std::string>> languages_of(ModelDirectory* models, std::string classifier,
                                             std::vector<std::string> texts, std::vector<std::string> names,
                                             RequestContext context);

// Metadata: path, language, kind, symbol, line, endLine, position. External id "<path>#<position>".
std::vector<NewItem> code_items(std::string_view path, std::string_view language, std::string_view text,
                                const CodeSplitOptions& options);

// Folders that hold no sources of their own: hidden ones, build outputs, fetched packages.
bool is_foreign_folder(std::string_view name);

}  // namespace consort
