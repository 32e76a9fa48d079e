// The sequences of a byte session's states, by their branch: strands and the points they can be taken back to
// share them. Internal to scheduler/decode; the lane's thread.
#pragma once

#include <map>
#include <vector>

#include "models/alphabet/byte_cover.h"
#include "models/alphabet/token_masses.h"
#include "scheduler/decode/run.h"

namespace consort {

struct Strand;

struct ByteState {
  Sequence* sequence = nullptr;
  int uses = 1;              // by strands and points
  Strand* strand = nullptr;  // whose cover waits for the row
  ByteCover::Handle handle = -1;
  TokenMasses masses;
};

class ByteStates {
 public:
  using Ids = std::map<ByteCover::Handle, int>;
  void add(Sequence& s, Strand& strand, ByteCover::Handle handle) {
    live_[s.branch] = {&s, 1, &strand, handle, {}};
  }
  ByteState& at(int id) { return live_.at(id); }
  std::size_t size() const { return live_.size(); }
  void hold(const Ids& ids);
  void release(RunHost& host, int id);
  void release(RunHost& host, const Ids& ids);
  // What is computed of `tokens` already, but for the last: that is to give a row.
  KvSequence begun(RunHost& host, const std::vector<TokenId>& tokens) const;

 private:
  std::map<int, ByteState> live_;
};

}  // namespace consort
