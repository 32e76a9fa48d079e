// Mutations of a file's bytes with a fixed seed, shared by the fuzz tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>

namespace consort::testing {

// The same sequence of mutants for the same seed, on every machine (mt19937_64 is specified exactly).
class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  // One of: cut short; one to eight bits flipped; a byte, a 32-bit or a 64-bit word replaced by an extreme;
  // a stretch removed, doubled or overwritten with noise. `hot` bytes at the front (the header) are hit three
  // times out of four.
  std::string mutate(std::string bytes, std::size_t hot) {
    if (bytes.empty()) return bytes;
    hot = std::clamp<std::size_t>(hot, 1, bytes.size());
    switch (below(6)) {
      case 0:
        bytes.resize(below(below(2) ? hot : bytes.size()));
        break;
      case 1:
      case 2:
        for (std::size_t n = 1 + below(8); n > 0; --n) {
          char& byte = bytes[place(bytes.size(), hot)];
          byte = static_cast<char>(byte ^ (1 << below(8)));
        }
        break;
      case 3:
        replace_word(bytes, hot);
        break;
      case 4: {
        const std::size_t at = place(bytes.size(), hot), n = std::min(bytes.size() - at, 1 + below(64));
        if (below(2))
          bytes.erase(at, n);
        else
          bytes.insert(at, bytes.substr(at, n));
        break;
      }
      default: {
        const std::size_t at = place(bytes.size(), hot), n = std::min(bytes.size() - at, 1 + below(32));
        for (std::size_t i = 0; i < n; ++i) bytes[at + i] = static_cast<char>(below(256));
      }
    }
    return bytes;
  }

  std::size_t below(std::size_t n) { return n ? random_() % n : 0; }

 private:
  std::size_t place(std::size_t size, std::size_t hot) { return below(4) ? below(hot) : below(size); }
  void replace_word(std::string& bytes, std::size_t hot) {
    static constexpr std::uint64_t kExtremes[] = {0,
                                                  1,
                                                  0x7f,
                                                  0x80,
                                                  0xff,
                                                  0x7fffffff,
                                                  0x80000000,
                                                  0xffffffff,
                                                  0x7fffffffffffffff,
                                                  0x8000000000000000,
                                                  ~0ull,
                                                  1ull << 32};
    const std::uint64_t value = kExtremes[below(std::size(kExtremes))];
    const std::size_t widths[] = {1, 4, 8}, width = widths[below(3)];
    const std::size_t at = place(bytes.size(), hot);
    std::memcpy(bytes.data() + at, &value, std::min(width, bytes.size() - at));
  }

  std::mt19937_64 random_;
};

}  // namespace consort::testing
