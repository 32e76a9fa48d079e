#include "models/layers/step_plan.h"

#include <fmt/format.h>

namespace consort {
namespace {

Status check_slice(const SequenceSlice& s, const ModelInfo& info, const KvLayout& layout) {
  const std::int64_t end = static_cast<std::int64_t>(s.start) + static_cast<std::int64_t>(s.tokens.size());
  if (s.tokens.empty() || s.start < 0)
    return fail(ErrorKind::kInvalid, "a slice without tokens or with a negative start", info.id);
  if (end > info.context_length)
    return fail(ErrorKind::kInvalid,
                fmt::format("position {} is behind the context of {} tokens", end - 1, info.context_length),
                info.id, "shorten the prompt or the answer");
  if (!(s.kv.layout == layout) || s.kv.pages == nullptr)
    return fail(ErrorKind::kInvalid, "the KV cache belongs to another model", info.id);
  for (const std::int32_t id : s.tokens)
    if (id < 0 || id >= info.vocab_size)
      return fail(ErrorKind::kInvalid,
                  fmt::format("token id {} is outside the vocabulary of {}", id, info.vocab_size), info.id);
  return {};
}

}  // namespace

Result<StepPlan> plan_step(Exec& exec, const StepBatch& batch, const StepOutput& output,
                           const ModelInfo& info, const KvLayout& layout) {
  StepPlan plan;
  for (const SequenceSlice& s : batch.slices) {
    CONSORT_CHECK_OK(check_slice(s, info, layout));
    plan.tokens += s.tokens.size();
  }
  plan.wanted = static_cast<std::size_t>(wanted_rows(batch));
  const TensorView& logits = output.logits;
  if (plan.wanted > 0 && (logits.data == nullptr || logits.rows() < static_cast<std::int64_t>(plan.wanted) ||
                          logits.cols() != info.vocab_size || logits.dtype != DType::kF32))
    return fail(ErrorKind::kInvalid,
                fmt::format("logits of {} rows do not fit {}", plan.wanted, describe(logits)), info.id);
  plan.ids = exec.scratch.take_array<std::int32_t>(plan.tokens);
  plan.positions = exec.scratch.take_array<std::int32_t>(plan.tokens);
  plan.wanted_rows = exec.scratch.take_array<std::int32_t>(plan.wanted);
  plan.slices = exec.scratch.take_array<AttentionSlice>(batch.slices.size());
  std::size_t row = 0, wanted = 0, slice = 0;
  for (const SequenceSlice& s : batch.slices) {
    plan.slices[slice++] = {s.kv, s.start, static_cast<int>(s.tokens.size())};
    for (std::size_t i = 0; i < s.tokens.size(); ++i, ++row) {
      plan.ids[row] = s.tokens[i];
      plan.positions[row] = s.start + static_cast<std::int32_t>(i);
      const bool last = i + 1 == s.tokens.size();
      if (s.wanted == LogitsWanted::kAll || (s.wanted == LogitsWanted::kLast && last))
        plan.wanted_rows[wanted++] = static_cast<std::int32_t>(row);
    }
  }
  return plan;
}

}  // namespace consort
