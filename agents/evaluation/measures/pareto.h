// Cost against quality: who is not beaten, and by how much mixing at random would do as well.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "memory/base/status.h"

namespace consort::measures {

struct CostQuality {
  double cost = 0;     // lower is better; FLOP, tokens or milliseconds
  double quality = 0;  // higher is better
};

// Places of the points that no other point beats (cheaper or equal and better or equal, one of them
// strictly), by cost; of equal points the first. Errors of all here: kInvalid for no points, values that are
// not finite.
Result<std::vector<std::size_t>> pareto_front(std::span<const CostQuality> points);
// Area between the front and the reference point (cost above, quality below the points that count); points
// beyond the reference add nothing. Unit: cost times quality.
Result<double> hypervolume(std::span<const CostQuality> points, CostQuality reference);

// Quality of sending each item at random to `cheap` or `strong` so that the mean cost is `cost`: the chord
// between them. A router has to lie above it. Errors: also when strong costs no more than cheap or `cost` is
// outside.
Result<double> chord_quality(CostQuality cheap, CostQuality strong, double cost);
// point.quality less the chord's at its cost.
Result<double> above_chord(CostQuality cheap, CostQuality strong, CostQuality point);
// The best quality at each cost that random mixes of all points reach: places on the upper convex hull, by
// cost.
Result<std::vector<std::size_t>> mixing_hull(std::span<const CostQuality> points);

}  // namespace consort::measures
