#include "models/network/network.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace consort {

std::string_view input_kind_name(InputKind kind) {
  switch (kind) {
    case InputKind::kText:
      return "text";
    case InputKind::kPair:
      return "pair";
    case InputKind::kImage:
      return "image";
    case InputKind::kFile:
      return "file";
    case InputKind::kMolecule:
      return "smiles";
    case InputKind::kGraph:
      return "graph";
  }
  return "unknown";
}

Decision Network::decide(const Sample&, std::span<const float> logits, int top) const {
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::size_t keep = std::min(order.size(), static_cast<std::size_t>(std::max(top, 0)));
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(keep), order.end(),
      [&](std::size_t a, std::size_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  Decision decision;
  if (keep == 0) return decision;
  const double best = logits[order[0]];
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - best);
  const auto& labels = info().labels;
  for (std::size_t i = 0; i < keep; ++i) {
    const std::size_t c = order[i];
    decision.raw.push_back(
        {c < labels.size() ? labels[c] : std::to_string(c), std::exp(logits[c] - best) / sum});
  }
  decision.labels = decision.raw;
  return decision;
}

}  // namespace consort
