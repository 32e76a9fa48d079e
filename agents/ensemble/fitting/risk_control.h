// Conformal risk control (Angelopoulos et al. 2024; research note A4): the boldest threshold whose expected
// loss stays under alpha, for losses that only grow with it.
#pragma once

#include <cstddef>
#include <optional>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct RiskChoice {
  std::optional<std::size_t> place;  // the last place that keeps (n / (n + 1)) R + bound / (n + 1) <= alpha;
                                     // none: even the most careful setting does not
  double risk = 0;                   // mean loss there (at place 0 when none)
  double bounded_risk = 0;           // the left side of the rule there
};

// losses: [items, settings], settings from most careful to boldest, losses in [0, bound], no row ever falling
// (the guarantee needs it). Errors: kInvalid for no items, losses outside [0, bound] or falling, alpha or
// bound that is not positive.
Result<RiskChoice> control_risk(MatrixView losses, double alpha, double bound = 1);

}  // namespace consort::fitting
