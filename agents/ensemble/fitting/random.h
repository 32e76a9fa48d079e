// Seeded numbers for resampling: a function of seed and stream alone, the same on every machine. Fast enough
// for ten thousand resamples of a table in well under a second (a draw is a few instructions; the engine's
// counter-based sampler costs ten rounds a draw).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace consort::fitting {

// SplitMix64 (Steele, Lea, Flood 2014). One a resample: `stream` separates resamples of one seed, so that
// they may be drawn in any order. Not thread-safe; cheap to make.
class SeededStream {
 public:
  explicit SeededStream(std::uint64_t seed, std::uint64_t stream = 0);
  std::uint64_t bits();
  // Uniform in [0, bound), without bias (Lemire 2019). REQUIRES: bound > 0.
  std::size_t below(std::size_t bound);
  double uniform();                             // [0, 1), 53 bits
  void shuffle(std::span<std::size_t> places);  // Fisher-Yates

 private:
  std::uint64_t state_;
};

}  // namespace consort::fitting
