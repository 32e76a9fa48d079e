// Cuts a source file into functions, classes and what stands between them, for a retrieval memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "memory/retrieval/code_mask.h"

namespace consort {

struct CodeSplitOptions {
  // A file or class of at most so many bytes stays whole; longer functions are cut between lines.
  std::size_t max_bytes = 1600;
};

struct CodePiece {
  std::string text;    // the source as it stands, with the comment above it; UTF-8
  std::string kind;    // "file", "function", "class", "declarations" (what stands between them)
  std::string symbol;  // "ThreadPool::run"; empty for "file" and top-level "declarations"
  std::size_t first_line = 0, last_line = 0;  // from 1
  std::size_t position = 0;                   // 0, 1, 2, ... in the file
};

// Pieces in file order, none empty. Never fails: what cannot be understood is cut by lines. Time grows with
// the text's length.
std::vector<CodePiece> split_code(std::string_view text, CodeSyntax syntax,
                                  const CodeSplitOptions& options = {});

// What an item of a code memory says: a line with path, symbol and the words in the symbol, then the source, so
// that a question in words meets names as well.
std::string code_item_text(std::string_view path, const CodePiece& piece);

// The words of a path and a symbol: "kernels/ThreadPool::parallel_for" -> "kernels thread pool parallel for".
std::string identifier_words(std::string_view name);

}  // namespace consort
