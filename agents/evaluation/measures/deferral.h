// One number for a deferral curve (fitting/cascade.h makes the curve).
#pragma once

#include <span>

#include "agents/ensemble/fitting/cascade.h"

namespace consort::measures {

struct DeferralArea {
  double area = 0;       // of quality over the share deferred, 0 to 1, trapezoids
  double random = 0;     // of deferring at random: (cheap + strong) / 2
  double gain = 0;       // area - random: what the confidence is worth
  double recovered = 0;  // APGR (Ong et al. 2024): (area - cheap) / (strong - cheap); 0.5 is random; NaN when
                         // both ends are equal
};
// curve: from cascade_curve (0 deferred first, 1 last). Errors: kInvalid for fewer than two points, shares
// that do not rise from 0 to 1.
Result<DeferralArea> deferral_area(std::span<const fitting::CascadePoint> curve);

// CPT(x) (Ong et al. 2024): the least share deferred at which quality reaches cheap + x (strong - cheap),
// linear between points. x in (0, 1]. Errors: as above; strong not better than cheap.
Result<double> deferral_for(std::span<const fitting::CascadePoint> curve, double x);

}  // namespace consort::measures
