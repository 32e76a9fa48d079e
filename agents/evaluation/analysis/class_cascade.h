// A cascade over choices and labels: the cheapest member answers where it is sure, the others are asked about
// the rest. Private to this room.
#pragma once

#include "agents/evaluation/analysis/class_strategies.h"

namespace consort {

// `strong`: what combines all members once the others were asked. The threshold on the first member's
// calibrated probability is the cheapest one that keeps the strong stage's accuracy on the items of the fit.
ClassStrategy cascade(const std::vector<std::string>& names, ClassStrategy strong);

// The two members of the least cost answer where they agree, else all: agreement of cheap members as the sign of
// a right answer (research note A4). `pool(names)`: what combines members of these names. REQUIRES: three
// members or more.
ClassStrategy agreement_cascade(const std::vector<std::string>& names,
                                const std::function<ClassStrategy(const std::vector<std::string>&)>& pool);

// What cascades share: the member of the least cost with its temperature, and all, fitted on the same items.
struct CascadeStages {
  std::size_t first = 0;
  double own_cost = 0, others_cost = 0;  // of the first member, and of the rest
  FittedClasses alone, all;
  // A strategy with these parts; its apply is added by the caller.
  FittedClasses fitted(Value parameters) const;
};
Result<CascadeStages> cascade_stages(const std::vector<std::string>& names, const ClassStrategy& strong,
                                     std::span<const ClassView> members, std::span<const std::int32_t> truth);
// 1 where the answer is the truth, else 0.
std::vector<double> marks_of(const ClassSaid& said, std::span<const std::int32_t> truth);
// `quick` where `sure`, `whole` elsewhere. REQUIRES: as many of each.
ClassSaid first_where(const ClassSaid& quick, ClassSaid whole, const std::vector<std::uint8_t>& sure);
// What both stages say of members: the first one's words where its confidence reaches the threshold.
Result<ClassSaid> first_above(const CascadeStages& stages, std::span<const ClassView> members,
                              double threshold);

}  // namespace consort
