// Which instruction set the CPU kernels use. Chosen once at start from what the processor has; `--isa` and
// tests force a lower one. All of them give the same integer sums; floating-point results agree within the
// bounds of each op's cases.
#pragma once

#include <optional>
#include <string_view>

namespace consort {

enum class Isa { kScalar, kAvx2, kAvx512 };  // kAvx512: F, BW, VL, DQ, VNNI (Cascade Lake, Zen 4 and later)

Isa best_isa();                      // the best of this processor
bool isa_supported(Isa isa);         // can this processor run it?
std::string_view isa_name(Isa isa);  // "scalar", "avx2", "avx512"
std::optional<Isa> isa_from_name(std::string_view name);

}  // namespace consort
