#include "agents/evaluation/measures/clusters.h"

#include <map>
#include <utility>

#include "agents/ensemble/fitting/checks.h"

namespace consort::measures {

Result<Clusters> clusters_of(std::size_t items, std::span<const std::int32_t> numbers) {
  if (items == 0) return fail(ErrorKind::kInvalid, "there are no items");
  Clusters made;
  if (numbers.empty()) {
    for (std::size_t i = 0; i < items; ++i) made.members.push_back({i});
    return made;
  }
  CONSORT_CHECK_OK(fitting::check_same_size(items, numbers.size(), "items and cluster numbers"));
  std::map<std::int32_t, std::vector<std::size_t>> by_number;
  for (std::size_t i = 0; i < items; ++i) by_number[numbers[i]].push_back(i);
  for (auto& [number, members] : by_number) made.members.push_back(std::move(members));
  return made;
}

}  // namespace consort::measures
