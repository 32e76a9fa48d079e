// KeptEnds: where the last texts stood that were asked about one string at a time (NextTokensJob): their
// pages to the last token, and the row of logits behind it. The next question is about the same place or a
// little further on. Only a saving of time: whoever needs the memory clears it. Thread: the lane's.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "memory/kv/kv_cache.h"
#include "models/tokenizer/tokenizer.h"

namespace consort {

// Tokens at the front that both have.
int common_prefix(std::span<const TokenId> a, std::span<const TokenId> b);

class KeptEnds {
 public:
  struct End {
    std::vector<TokenId> tokens;
    KvSequence kv;  // holds all of them
    std::vector<float> logits;
  };
  // The oldest goes when there are too many, and so does an end that the new one goes on from.
  void keep(End end);
  const std::vector<float>* logits_behind(std::span<const TokenId> tokens) const;  // null: not kept
  struct Shared {
    const KvSequence* kv = nullptr;
    int tokens = 0;  // of the front, that `kv` holds
  };
  Shared longest_prefix(std::span<const TokenId> tokens) const;
  std::size_t pages() const;  // held, each end counted by itself
  void clear() { ends_.clear(); }

 private:
  std::deque<End> ends_;  // the oldest first
};

}  // namespace consort
