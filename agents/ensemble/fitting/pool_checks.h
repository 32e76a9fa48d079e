// What both pools ask of their members. Private to fitting.
#pragma once

#include <span>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

// Errors: kInvalid for no members, rows that are no distributions, unequal shapes.
Status check_pool_members(std::span<const MatrixView> members);

}  // namespace consort::fitting
