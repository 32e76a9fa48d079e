// Items that are resampled or flipped together. Private to measures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "memory/base/status.h"

namespace consort::measures {

struct Clusters {
  std::vector<std::vector<std::size_t>> members;  // places of the items, clusters by number
};
// numbers: one an item, or empty for each item alone. Errors: kInvalid for no items, unequal sizes.
Result<Clusters> clusters_of(std::size_t items, std::span<const std::int32_t> numbers);

}  // namespace consort::measures
