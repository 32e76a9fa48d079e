// The ops under test: one entry for each name of CONSORT_OPS (kernels/CMakeLists.txt).
#pragma once

#include <string>
#include <vector>

#include "kernels/exec/cases.h"

namespace consort::parity {

struct Op {
  std::string name;
  std::vector<OpCase> cases;
};

std::vector<Op> all_ops();

}  // namespace consort::parity
