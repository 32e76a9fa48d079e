// Attention: whether a thread that waits for the next message looks for it a moment longer before it sleeps.
// Waking a sleeping thread of an idle machine takes 40 to 60 microseconds, as long as all the rest of a call
// to a model; but a thread that looks keeps a core from those that compute. So it looks only where that has
// paid: after a sleep so short that looking would have caught the message, and never when somebody else took
// the core meanwhile or there is only one.
#pragma once

#include <chrono>
#include <cstdint>
#include <thread>

namespace consort {

// Of one thread.
class Attention {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds kSpan{50};         // about what a wake-up costs
  static constexpr std::chrono::microseconds kLostCore{25};     // between two looks: the core was another's
  static constexpr std::chrono::microseconds kShortSleep{150};  // wake-up included
  static constexpr std::uint32_t kMostPauses = 1024;            // waits without a look after looks in vain

  explicit Attention(unsigned cores = std::thread::hardware_concurrency()) : alone_(cores < 2) {}

  // Looks for up to kSpan: calls `ready` until it says true. False: sleep now (and tell slept() how long).
  template <typename Ready>
  bool look(Ready&& ready) {
    if (alone_ || pauses_left_ > 0) {
      if (pauses_left_ > 0) --pauses_left_;
      return false;
    }
    const Clock::time_point begin = Clock::now();
    Clock::time_point last = begin;
    while (last - begin < kSpan) {
      if (ready()) {
        pauses_ = 0;
        return true;
      }
      const Clock::time_point now = Clock::now();
      if (now - last > kLostCore) {
        in_vain(kMostPauses);
        return false;
      }
      last = now;
    }
    in_vain(pauses_ == 0 ? 1 : 2 * pauses_);
    return false;
  }

  void slept(Clock::duration time) {
    if (time < kShortSleep) pauses_left_ = 0;
  }

 private:
  void in_vain(std::uint32_t pauses) { pauses_left_ = pauses_ = pauses < kMostPauses ? pauses : kMostPauses; }
  const bool alone_;
  std::uint32_t pauses_ = 0, pauses_left_ = 0;
};

}  // namespace consort
