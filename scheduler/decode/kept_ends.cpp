#include "scheduler/decode/kept_ends.h"

#include <algorithm>
#include <utility>

namespace consort {
namespace {

constexpr std::size_t kMostEnds = 8;  // a row of Gemma's logits is 1 MiB

}  // namespace

int common_prefix(std::span<const TokenId> a, std::span<const TokenId> b) {
  const auto [x, y] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<int>(x - a.begin());
}

void KeptEnds::keep(End end) {
  std::erase_if(ends_, [&](const End& old) {
    return common_prefix(old.tokens, end.tokens) == static_cast<int>(old.tokens.size());
  });
  if (ends_.size() == kMostEnds) ends_.pop_front();
  ends_.push_back(std::move(end));
}

const std::vector<float>* KeptEnds::logits_behind(std::span<const TokenId> tokens) const {
  const auto at = std::find_if(ends_.begin(), ends_.end(), [&](const End& end) {
    return std::equal(end.tokens.begin(), end.tokens.end(), tokens.begin(), tokens.end());
  });
  return at == ends_.end() ? nullptr : &at->logits;
}

KeptEnds::Shared KeptEnds::longest_prefix(std::span<const TokenId> tokens) const {
  Shared best;
  for (const End& end : ends_)
    if (const int shared = common_prefix(end.tokens, tokens); shared > best.tokens) best = {&end.kv, shared};
  return best;
}

std::size_t KeptEnds::pages() const {
  std::size_t sum = 0;
  for (const End& end : ends_) sum += end.kv.page_ids().size();
  return sum;
}

}  // namespace consort
