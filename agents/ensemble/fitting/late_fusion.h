// Late fusion of calibrated distributions over the same classes from several modalities, where one may be
// missing (research note A5).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "memory/base/status.h"

namespace consort::fitting {

enum class FusionKind { kLinear, kLog };

// members: ln p over the classes, nullopt where the modality is missing: its term is dropped and the other
// weights are normalised again. weights: one a member, empty for equal ones. Returns ln p.
// Errors: kInvalid for no member left, no weight left, unequal classes, rows that are no distributions.
Result<std::vector<double>> late_fusion(std::span<const std::optional<std::vector<double>>> members,
                                        std::span<const double> weights = {},
                                        FusionKind kind = FusionKind::kLog);

}  // namespace consort::fitting
