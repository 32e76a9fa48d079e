#include "agents/ensemble/fitting/random.h"

#include <utility>

namespace consort::fitting {
namespace {

std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15ULL;

}  // namespace

// Hashing the stream before it meets the seed keeps neighbouring streams from being shifts of one another.
SeededStream::SeededStream(std::uint64_t seed, std::uint64_t stream)
    : state_(mixed(seed + kStep) ^ mixed(mixed(stream + kStep) + kStep)) {}

std::uint64_t SeededStream::bits() {
  return mixed(state_ += kStep);
}

std::size_t SeededStream::below(std::size_t bound) {
  const auto wide_bound = static_cast<unsigned __int128>(bound);
  unsigned __int128 product = wide_bound * bits();
  if (static_cast<std::uint64_t>(product) < bound) {
    const std::uint64_t least = (0 - static_cast<std::uint64_t>(bound)) % bound;
    while (static_cast<std::uint64_t>(product) < least) product = wide_bound * bits();
  }
  return static_cast<std::size_t>(product >> 64);
}

double SeededStream::uniform() {
  return static_cast<double>(bits() >> 11) * 0x1.0p-53;
}

void SeededStream::shuffle(std::span<std::size_t> places) {
  for (std::size_t i = places.size(); i > 1; --i) std::swap(places[i - 1], places[below(i)]);
}

}  // namespace consort::fitting
