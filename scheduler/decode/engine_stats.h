// What an engine counted since it was made. Copies; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "memory/kv/kv_cache.h"

namespace consort {

struct EngineStats {
  std::uint64_t prefilled_tokens = 0;  // computed tokens of prompts, candidates and texts
  std::uint64_t decoded_tokens = 0;    // computed tokens that the model had drawn itself
  std::uint64_t cached_tokens = 0;     // taken from the prefix tree or from a running sequence
  std::uint64_t generated_tokens = 0;  // drawn
  std::uint64_t steps = 0, step_failures = 0;
  std::uint64_t accepted = 0, finished = 0, failed = 0, cancelled = 0, timed_out = 0, refused = 0;
  std::uint64_t slices = 0;         // over all steps; slices / steps = mean sequences in a step
  std::size_t largest_batch = 0;    // sequences in one step
  std::size_t largest_prefill = 0;  // prefill tokens in one step
  std::size_t queue_length = 0, queue_peak = 0, running_sequences = 0;
  std::size_t logits_bytes = 0;  // committed for the logits buffer
  double forward_ms = 0, step_ms = 0;
  KvStats kv;
};

}  // namespace consort
