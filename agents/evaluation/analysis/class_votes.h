// Votes over first choices and ranking of scores, by the same strategies that workflows name. Private to this
// room.
#pragma once

#include "agents/evaluation/analysis/class_strategies.h"

namespace consort {

// vote, weightedVote, dawidSkene, and rank where every member has scores a byte.
std::vector<ClassStrategy> vote_strategies(const std::vector<std::string>& names, bool per_byte,
                                           double classes);

}  // namespace consort
