#include "scheduler/decode/byte_states.h"

#include <algorithm>

namespace consort {

void ByteStates::hold(const Ids& ids) {
  for (const auto& [handle, id] : ids) ++live_.at(id).uses;
}

void ByteStates::release(RunHost& host, int id) {
  const auto at = live_.find(id);
  if (--at->second.uses > 0) return;
  host.drop_sequence(*at->second.sequence);
  live_.erase(at);
}

void ByteStates::release(RunHost& host, const Ids& ids) {
  for (const auto& [handle, id] : ids) release(host, id);
}

KvSequence ByteStates::begun(RunHost& host, const std::vector<TokenId>& tokens) const {
  const Sequence* best = nullptr;
  std::ptrdiff_t most = 0;
  for (const auto& [id, state] : live_) {
    const Sequence& s = *state.sequence;
    const auto computed = std::min<std::ptrdiff_t>(s.computed(), std::ssize(tokens) - 1);
    const auto differ = std::mismatch(s.tokens.begin(), s.tokens.begin() + computed, tokens.begin());
    if (differ.first - s.tokens.begin() <= most) continue;
    most = differ.first - s.tokens.begin();
    best = &s;
  }
  if (best == nullptr) return host.new_kv();
  KvSequence kv = best->kv.fork();
  kv.truncate(static_cast<int>(most));
  return kv;
}

}  // namespace consort
