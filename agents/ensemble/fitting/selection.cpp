#include "agents/ensemble/fitting/selection.h"

#include <algorithm>
#include <cmath>

namespace consort::fitting {

Result<Selection> greedy_selection(std::size_t members, const SubsetValue& value, double least_gain) {
  if (members == 0) return fail(ErrorKind::kInvalid, "there are no members to select from");
  if (!(least_gain >= 0)) return fail(ErrorKind::kInvalid, "the least gain must be at least 0");
  Selection made;
  std::vector<bool> taken(members, false);
  for (;;) {
    std::size_t best = members;
    double best_value = 0;
    for (std::size_t m = 0; m < members; ++m) {
      if (taken[m]) continue;
      std::vector<std::size_t> set = made.members;
      set.push_back(m);
      std::sort(set.begin(), set.end());
      const double v = value(set);
      ++made.tried;
      if (std::isnan(v)) return fail(ErrorKind::kInvalid, "the value of a set of members is no number");
      if (best == members || v > best_value) {
        best = m;
        best_value = v;
      }
    }
    const bool helps = made.members.empty() || best_value > made.values.back() + least_gain;
    if (best == members || !helps) return made;
    taken[best] = true;
    made.members.push_back(best);
    made.values.push_back(best_value);
  }
}

}  // namespace consort::fitting
