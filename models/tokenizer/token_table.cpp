#include "models/tokenizer/token_table.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>

namespace consort {

namespace {
std::uint64_t hash_text(std::string_view text) {
  return XXH3_64bits(text.data(), text.size());
}
std::uint32_t tag_of(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash >> 32);
}
}  // namespace

void TokenTable::reserve(std::size_t tokens, std::size_t bytes) {
  offsets_.reserve(tokens + 1);
  arena_.reserve(bytes);
}

void TokenTable::add(std::string_view text) {
  arena_.append(text);
  offsets_.push_back(static_cast<std::uint32_t>(arena_.size()));
}

void TokenTable::build(const std::vector<bool>& indexed) {
  const auto count = static_cast<std::size_t>(std::count(indexed.begin(), indexed.end(), true));
  slots_.assign(std::bit_ceil(count * 2 + 1), Slot{});
  mask_ = slots_.size() - 1;
  longest_ = 0;
  // The slots of a large vocabulary lie in memory: they are asked for a while before they are needed.
  constexpr std::size_t kAhead = 16;
  struct Next {
    std::uint64_t hash;
    std::int32_t id;
  };
  std::array<Next, kAhead> ring;
  std::size_t begun = 0, done = 0;
  const auto insert = [&](const Next& next) {
    const std::string_view wanted = text(next.id);
    std::size_t at = next.hash & mask_;
    while (slots_[at].id != kNone && !(slots_[at].tag == tag_of(next.hash) && text(slots_[at].id) == wanted))
      at = (at + 1) & mask_;
    slots_[at] = {tag_of(next.hash), next.id};
  };
  for (std::int32_t id = 0; id < size(); ++id) {
    if (!indexed[static_cast<std::size_t>(id)]) continue;
    longest_ = std::max(longest_, text(id).size());
    if (begun - done == kAhead) insert(ring[done++ % kAhead]);
    Next& next = ring[begun++ % kAhead];
    next = {hash_text(text(id)), id};
    __builtin_prefetch(&slots_[next.hash & mask_], 1);
  }
  while (done < begun) insert(ring[done++ % kAhead]);
}

std::int32_t TokenTable::find(std::string_view wanted) const {
  if (slots_.empty() || wanted.size() > longest_) return kNone;
  const std::uint64_t hash = hash_text(wanted);
  for (std::size_t at = hash & mask_; slots_[at].id != kNone; at = (at + 1) & mask_)
    if (slots_[at].tag == tag_of(hash) && text(slots_[at].id) == wanted) return slots_[at].id;
  return kNone;
}

}  // namespace consort
