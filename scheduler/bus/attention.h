// Attention: whether a thread that waits for the next message looks for it a moment before it sleeps. Waking
// a sleeping thread of an idle machine takes 40 to 60 microseconds, as long as all the rest of a call to a
// model; but where others compute, a thread that looks keeps the core from those who would have sent the
// message. Which is the case is measured, not guessed: the mean wait with a look and without one, with some
// trials of the other way now and then.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>

namespace consort {

// Of one thread. Each wait: look(), and when that says false, sleep and then woke().
class Attention {
 public:
  using Clock = std::chrono::steady_clock;
  // Longer than a wake-up and the work of a call that does nothing, so that of two threads which wait for
  // each other the first that looks is rewarded, although the other one still sleeps.
  static constexpr std::chrono::microseconds kSpan{100};
  static constexpr std::uint32_t kPeriod = 256;  // waits; the first kTrials of them go the other way
  static constexpr std::uint32_t kTrials = 8;

  explicit Attention(unsigned cores = std::thread::hardware_concurrency()) : alone_(cores < 2) {}

  // True: `ready` said true within kSpan. False: it did not, or this wait is one without a look.
  template <typename Ready>
  bool look(Ready&& ready) {
    begin_ = Clock::now();
    looks_ = chooses_to_look();
    if (!looks_) return false;
    do {
      if (!ready()) continue;
      learn();
      return true;
    } while (Clock::now() - begin_ < kSpan);
    return false;
  }
  void woke() { learn(); }
  bool prefers_to_look() const { return wait_[1] < 0.8 * wait_[0] && wait_[1] < 1; }

 private:
  bool chooses_to_look() {
    if (alone_) return false;
    const bool trial = waits_++ % kPeriod < kTrials;
    return prefers_to_look() != trial;
  }
  void learn() {
    // In spans; what is far beyond one says only that looking is in vain, however far.
    const double spans = std::chrono::duration<double>(Clock::now() - begin_) / kSpan;
    double& mean = wait_[looks_ ? 1 : 0];
    mean += (std::min(spans, 4.0) - mean) / 8;
  }

  const bool alone_;
  bool looks_ = false;
  std::uint32_t waits_ = 0;
  Clock::time_point begin_;
  double wait_[2] = {1, 1};  // mean wait without and with a look
};

}  // namespace consort
