// The declarations of a masked source text: what split_code makes pieces of. Private to memory/retrieval.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "memory/retrieval/code_mask.h"

namespace consort {

struct CodeBlock {
  enum class Kind { kFunction, kType, kSpace, kOther };  // kSpace: a namespace or module, transparent
  Kind kind = Kind::kOther;
  std::string name;
  std::size_t begin = 0, end = 0;            // of all of it, in the text
  std::size_t body_begin = 0, body_end = 0;  // inside its braces or indentation; equal when it has none
};

// The blocks of mask[begin, end) in order, without gaps: comments stand before what they describe.
std::vector<CodeBlock> scan_code(std::string_view mask, CodeSyntax syntax, std::size_t begin,
                                 std::size_t end);

}  // namespace consort
