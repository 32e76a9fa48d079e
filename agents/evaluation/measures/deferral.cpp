#include "agents/evaluation/measures/deferral.h"

#include <cmath>
#include <limits>

namespace consort::measures {
namespace {

Status check(std::span<const fitting::CascadePoint> curve) {
  if (curve.size() < 2) return fail(ErrorKind::kInvalid, "a deferral curve needs two points or more");
  if (curve.front().deferred != 0 || std::abs(curve.back().deferred - 1) > 1e-9) {
    return fail(ErrorKind::kInvalid, "a deferral curve goes from none deferred to all");
  }
  for (std::size_t k = 0; k < curve.size(); ++k) {
    if (!std::isfinite(curve[k].quality) || (k > 0 && !(curve[k].deferred > curve[k - 1].deferred))) {
      return fail(ErrorKind::kInvalid, "shares deferred must rise, and qualities be finite");
    }
  }
  return {};
}

}  // namespace

Result<DeferralArea> deferral_area(std::span<const fitting::CascadePoint> curve) {
  CONSORT_CHECK_OK(check(curve));
  DeferralArea made;
  for (std::size_t k = 1; k < curve.size(); ++k) {
    made.area += (curve[k].deferred - curve[k - 1].deferred) * (curve[k].quality + curve[k - 1].quality) / 2;
  }
  const double cheap = curve.front().quality, strong = curve.back().quality;
  made.random = (cheap + strong) / 2;
  made.gain = made.area - made.random;
  made.recovered =
      strong == cheap ? std::numeric_limits<double>::quiet_NaN() : (made.area - cheap) / (strong - cheap);
  return made;
}

Result<double> deferral_for(std::span<const fitting::CascadePoint> curve, double x) {
  CONSORT_CHECK_OK(check(curve));
  const double cheap = curve.front().quality, strong = curve.back().quality;
  if (!(strong > cheap))
    return fail(ErrorKind::kInvalid, "the strong stage is not better: there is no gain to reach");
  if (!(x > 0 && x <= 1)) return fail(ErrorKind::kInvalid, "the share of the gain must lie in (0, 1]");
  const double wanted = cheap + x * (strong - cheap);
  for (std::size_t k = 1; k < curve.size(); ++k) {
    if (curve[k].quality < wanted) continue;
    const auto &a = curve[k - 1], &b = curve[k];
    return a.deferred + (wanted - a.quality) / (b.quality - a.quality) * (b.deferred - a.deferred);
  }
  return 1.0;  // x = 1 and rounding
}

}  // namespace consort::measures
