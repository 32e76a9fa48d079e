#include "kernels/op_list/op_list.h"

namespace consort {

#define CONSORT_ENTRY(name) std::vector<OpCase> cases_##name();
#include "op_list/registry.inc"
#undef CONSORT_ENTRY

std::vector<Op> all_ops() {
  std::vector<Op> ops;
#define CONSORT_ENTRY(name) ops.push_back({#name, cases_##name()});
#include "op_list/registry.inc"
#undef CONSORT_ENTRY
  return ops;
}

}  // namespace consort
