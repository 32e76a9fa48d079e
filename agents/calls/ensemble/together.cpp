#include "agents/calls/ensemble/together.h"

#include <algorithm>

namespace consort::ensemble_call {

Status enough_members(std::span<const Error* const> errors, const Plan& plan) {
  std::size_t there = 0, who = 0;
  const Error* first = nullptr;
  for (std::size_t m = 0; m < errors.size(); ++m) {
    if (errors[m] == nullptr) {
      ++there;
      continue;
    }
    if (first != nullptr && errors[m]->kind != ErrorKind::kCancelled) continue;
    first = errors[m];
    who = m;
  }
  if (first == nullptr) return {};
  const std::size_t least = std::max<std::size_t>(plan.policy.min_members, 1);
  if (plan.policy.report_errors && first->kind != ErrorKind::kCancelled && there >= least) return {};
  return tl::unexpected<Error>(member_error(*first, plan.members[who]));
}

}  // namespace consort::ensemble_call
