// A cascade over choices and labels: the cheapest member answers where it is sure, the others are asked about
// the rest. Private to this room.
#pragma once

#include "agents/evaluation/analysis/class_strategies.h"

namespace consort {

// `strong`: what combines all members once the others were asked. The threshold on the first member's
// calibrated probability is the cheapest one that keeps the strong stage's accuracy on the items of the fit.
ClassStrategy cascade(const std::vector<std::string>& names, ClassStrategy strong);

// What cascades share. The member of the least cost, the first of equal ones.
std::size_t cheapest_member(std::span<const ClassView> members);
// 1 where the answer is the truth, else 0.
std::vector<double> marks_of(const ClassSaid& said, std::span<const std::int32_t> truth);
// `quick` where `sure`, `whole` elsewhere. REQUIRES: as many of each.
ClassSaid first_where(const ClassSaid& quick, ClassSaid whole, const std::vector<std::uint8_t>& sure);

}  // namespace consort
