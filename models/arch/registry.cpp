#include "models/arch/registry.h"

namespace consort {

#define CONSORT_ENTRY(name) Architecture name##_architecture();
#include "models/arch/registry.inc"
#undef CONSORT_ENTRY

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> all = {
#define CONSORT_ENTRY(name) name##_architecture(),
#include "models/arch/registry.inc"
#undef CONSORT_ENTRY
  };
  return all;
}

const Architecture* find_architecture(std::string_view name) {
  for (const Architecture& a : architectures())
    if (a.name == name) return &a;
  return nullptr;
}

}  // namespace consort
