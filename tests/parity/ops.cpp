#include "tests/parity/ops.h"

namespace consort {
#define CONSORT_ENTRY(name) std::vector<OpCase> cases_##name();
#include "parity/registry.inc"
#undef CONSORT_ENTRY
}  // namespace consort

namespace consort::parity {

std::vector<Op> all_ops() {
  std::vector<Op> ops;
#define CONSORT_ENTRY(name) ops.push_back({#name, cases_##name()});
#include "parity/registry.inc"
#undef CONSORT_ENTRY
  return ops;
}

}  // namespace consort::parity
