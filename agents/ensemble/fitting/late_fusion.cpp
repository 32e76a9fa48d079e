#include "agents/ensemble/fitting/late_fusion.h"

#include <cmath>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/pools.h"

namespace consort::fitting {

Result<std::vector<double>> late_fusion(std::span<const std::optional<std::vector<double>>> members,
                                        std::span<const double> weights, FusionKind kind) {
  if (!weights.empty())
    CONSORT_CHECK_OK(check_same_size(weights.size(), members.size(), "weights and members"));
  std::vector<std::vector<double>> present;
  std::vector<double> own;
  for (std::size_t m = 0; m < members.size(); ++m) {
    if (!members[m]) continue;
    CONSORT_CHECK_OK(check_log_distributions({*members[m], members[m]->size()}, "a member's ln p"));
    if (!present.empty())
      CONSORT_CHECK_OK(check_same_size(present[0].size(), members[m]->size(), "members' classes"));
    present.push_back(*members[m]);
    own.push_back(weights.empty() ? 1.0 : weights[m]);
  }
  if (present.empty()) return fail(ErrorKind::kInvalid, "every modality is missing");
  CONSORT_TRY(shares, normalised(own, present.size()));
  double log_partition = 0;
  std::vector<double> out =
      ensemble::pooled(kind == FusionKind::kLinear ? ensemble::PoolKind::kLinear : ensemble::PoolKind::kLog,
                       present, shares, &log_partition);
  if (!std::isfinite(log_partition)) {
    return fail(ErrorKind::kInvalid, "the members rule out every class together", "",
                "give members a floor before a log pool");
  }
  return out;
}

}  // namespace consort::fitting
