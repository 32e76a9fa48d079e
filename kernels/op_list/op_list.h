// The ops with cases: one entry for each name of CONSORT_OPS (kernels/CMakeLists.txt). For the parity harness
// and `consort bench kernels`.
#pragma once

#include <string>
#include <vector>

#include "kernels/exec/cases.h"

namespace consort {

struct Op {
  std::string name;
  std::vector<OpCase> cases;
};

std::vector<Op> all_ops();

}  // namespace consort
