// jq text to tree. Private to this room.
#pragma once

#include <string_view>

#include "scheduler/expression/ast.h"

namespace consort::jq {

// Bounds on what is compiled; a program beyond them is refused at load.
inline constexpr int kMaxNesting = 120;  // brackets, strings in strings
inline constexpr std::uint32_t kMaxTreeHeight = 500;
inline constexpr std::size_t kMaxNodes = 8000;

// Compiles the program that starts at `begin`. With `inside_template` it ends before the '}' that nothing
// opened, and `end` is the offset behind that brace; otherwise the whole text must be the program.
Result<ProgramTree> parse_program(std::string_view text, std::size_t begin, bool inside_template,
                                  std::size_t& end);

}  // namespace consort::jq
