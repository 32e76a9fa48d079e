#include "scheduler/host/requests.h"

#include <algorithm>

namespace consort {

Usage& operator+=(Usage& sum, const Usage& more) {
  sum.prompt_tokens += more.prompt_tokens;
  sum.cached_tokens += more.cached_tokens;
  sum.completion_tokens += more.completion_tokens;
  sum.queue_ms += more.queue_ms;
  sum.prefill_ms += more.prefill_ms;
  sum.decode_ms += more.decode_ms;
  sum.flop += more.flop;
  sum.bytes += more.bytes;
  return sum;
}

std::vector<ModelInput> text_inputs(std::vector<std::string> texts) {
  std::vector<ModelInput> out(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) out[i].text = std::move(texts[i]);
  return out;
}

const Error* ItemReport::error_of(std::size_t item) const {
  const auto at =
      std::lower_bound(errors.begin(), errors.end(), item,
                       [](const ItemError& error, std::size_t wanted) { return error.item < wanted; });
  return at != errors.end() && at->item == item ? &at->error : nullptr;
}

TensorView EmbedResult::item(std::size_t i) const {
  TensorView rows = embeddings.view;
  rows.data += static_cast<std::size_t>(offsets[i] * rows.cols()) * sizeof(float);
  rows.dims[0] = offsets[i + 1] - offsets[i];
  return rows;
}

}  // namespace consort
