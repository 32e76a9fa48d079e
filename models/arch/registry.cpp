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

const Architecture* find_architecture(const WeightSource& source) {
  if (!source.architecture().empty()) return find_architecture(source.architecture());
  for (const Architecture& a : architectures())
    if (a.recognises != nullptr && a.recognises(source)) return &a;
  return nullptr;
}

}  // namespace consort
