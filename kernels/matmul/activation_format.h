// What the rows of x become where they meet weights of a block format.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace consort {

enum class ActivationFormat : std::uint8_t {
  kInt16,    // 16-bit integers with a scale for each 32: relative error about 2e-5; products are exact
  kInt8,     // 8-bit integers with a scale for each 32: relative error about 4e-3; products are exact
  kBf16,     // rounded to bfloat16; weights and sums in float32
  kFloat32,  // as they are; weights and sums in float32
};

inline constexpr std::array<std::string_view, 4> kActivationNames = {"int16", "int8", "bf16", "float32"};

inline std::string_view activation_name(ActivationFormat a) {
  return kActivationNames[static_cast<std::size_t>(a)];
}
inline std::optional<ActivationFormat> activation_of(std::string_view name) {
  for (std::size_t i = 0; i < kActivationNames.size(); ++i)
    if (kActivationNames[i] == name) return static_cast<ActivationFormat>(i);
  return std::nullopt;
}

}  // namespace consort
