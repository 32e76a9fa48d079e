// From the bytes of a file to the network's tokens. Source: Magika (Fratantonio et al. 2024, "Magika:
// AI-powered content-type detection"), model standard_v3_3.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace consort::magika {

inline constexpr int kHalf = 1024, kTokens = 2 * kHalf;
inline constexpr int kPadding = 256;         // the token that stands for no byte
inline constexpr std::size_t kBlock = 4096;  // bytes looked at from each end
inline constexpr std::size_t kMinBytes = 8;  // below, the network is not asked

struct Features {
  std::array<std::int16_t, kTokens> tokens;  // bytes, or kPadding
  // The label that needs no network: "empty"; "txt" or "unknown" (by UTF-8 validity) for files with fewer
  // than 8 bytes, also after leading white space. Empty when the network is to decide.
  std::string label;
};

// The first and the last 1,024 bytes, white space stripped from the outer ends.
Features read_features(std::span<const std::byte> file);

}  // namespace consort::magika
