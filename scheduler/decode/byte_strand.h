// Strand: one text of a byte session, with its covers and the sequences behind their states, and the points that
// it can be taken back to. Internal to scheduler/decode; the lane's thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "models/alphabet/byte_cover.h"

namespace consort {

// What can be gone on from: covers that have all their rows, and the ids of the states' sequences. A state's
// sequence never grows once it is computed, so points and strands share it.
struct StrandPoint {
  std::shared_ptr<const ByteCover> cover;
  std::map<ByteCover::Handle, int> ids;
};

// A byte that the covers cannot explain: how likely it was is known once the last bytes are covered again.
struct Recount {
  double live = 0;     // ln p by the covers that there were
  double earlier = 0;  // ln p of the bytes before it, of those that are covered again
  double again = 0;    // ln p of all these, by the new covers
};

struct Strand {
  explicit Strand(ByteCover c) : cover(std::make_unique<ByteCover>(std::move(c))) {}
  Strand(const Strand& from)
      : cover(std::make_unique<ByteCover>(*from.cover)),
        ids(from.ids),
        trail(from.trail),
        text(from.text),
        past(from.past),
        written(from.written),
        trusted(from.trusted) {}

  std::unique_ptr<ByteCover> cover;
  std::map<ByteCover::Handle, int> ids;
  std::deque<StrandPoint> trail;  // before each of the last bytes, the youngest last
  std::string text;               // all bytes so far
  std::deque<double> past;        // ln p of the last of them
  std::size_t written = 0;        // of these, by letters: they can be taken back
  std::string queue;              // not taken yet
  int healing = 0;                // bytes of the queue that are covered again
  std::optional<Recount> recount;
  int trusted = 0;                // bytes that are taken to be as likely as the covers say, above 0
  bool owes_row = false;          // the distribution behind its last byte is not known yet
  double logprob = 0, kept = 1;   // of this letter's bytes
  bool idle() const { return cover->ready() && queue.empty(); }
};

}  // namespace consort
