// Breath: the places in a long forward pass where whoever drives it may let more urgent work go first. A pass
// over one long text or one picture takes as long as several tokens of a conversation and cannot be cut into
// steps; between two of its ops it can stand still. What a pass computes does not depend on it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace consort {

// Called by networks between ops, with nothing of theirs half done: scratch memory that is held stays held,
// what runs meanwhile takes its own above it. Does nothing unless the calling thread lent out its breaths.
void breathe();

// While it lives, breathe() on this thread calls `during`. One at a time on a thread; inside of `during`
// nothing breathes.
class Breaths {
 public:
  explicit Breaths(std::function<void()> during);
  ~Breaths();
  Breaths(const Breaths&) = delete;

  // Time that this thread has spent in `during`, of all Breaths ever: what a measured pass must leave out.
  static std::chrono::nanoseconds spent();
  static std::uint64_t taken();  // how often `during` was called on this thread

 private:
  friend void breathe();
  const std::function<void()> during_;
};

}  // namespace consort
