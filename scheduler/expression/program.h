// What a compiled expression holds. Private to this room.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "scheduler/expression/builtins.h"
#include "scheduler/expression/evaluation.h"
#include "scheduler/expression/parser.h"

namespace consort {

struct Expression::Program {
  jq::ProgramTree tree;
  std::vector<std::string> variables;  // sorted
};

// Compiles what begins at `begin` of the text; see jq::parse_program.
Result<Expression> compile_inside(std::string_view text, std::size_t begin, bool inside_template,
                                  std::size_t& end);

}  // namespace consort
