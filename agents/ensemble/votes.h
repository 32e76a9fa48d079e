// Voting over canonical answers, shared by vote and weighted_vote. Private to this room.
#pragma once

#include <functional>

#include "agents/ensemble/canonical.h"
#include "agents/ensemble/strategy.h"

namespace consort::ensemble {

// say: how much a member's answer counts (> 0 for it to count at all).
Result<EnsembleResult> combine_votes(const PredictionTable& table, std::string_view strategy, AnswerKind kind,
                                     const std::function<double(const MemberPrediction&)>& say);
AnswerKind answer_kind_option(const Value& options);  // options.answer, default text

}  // namespace consort::ensemble
