// StepPlan: what a decoder needs to know of a step beside its weights, laid out flat in scratch memory.
#pragma once

#include <span>

#include "kernels/attention/attention.h"
#include "models/model.h"

namespace consort {

struct StepPlan {
  std::size_t tokens = 0, wanted = 0;
  std::span<std::int32_t> ids, positions;  // [tokens]
  std::span<std::int32_t> wanted_rows;     // [wanted], ascending row numbers
  std::span<AttentionSlice> slices;
};

// Checks a batch against the model and lays it out in exec.scratch (the caller holds a Mark). Errors:
// kInvalid for empty slices, token ids outside the vocabulary, positions outside the context, a cache of
// another layout, logits of the wrong shape.
Result<StepPlan> plan_step(Exec& exec, const StepBatch& batch, const StepOutput& output,
                           const ModelInfo& info, const KvLayout& layout);

}  // namespace consort
