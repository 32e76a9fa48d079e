// Arithmetic on sizes that come from outside: every product and sum says whether it fits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace consort {

// nullopt when the result does not fit.
inline std::optional<std::size_t> checked_mul(std::size_t a, std::size_t b) {
  std::size_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}
inline std::optional<std::size_t> checked_add(std::size_t a, std::size_t b) {
  std::size_t out = 0;
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

// The product of dims (1 for none); nullopt for a negative dim or an overflow of std::int64_t.
inline std::optional<std::int64_t> checked_elements(std::span<const std::int64_t> dims) {
  std::int64_t out = 1;
  for (std::int64_t d : dims)
    if (d < 0 || __builtin_mul_overflow(out, d, &out)) return std::nullopt;
  return out;
}

inline constexpr std::size_t round_up(std::size_t n, std::size_t unit) {
  return (n + unit - 1) / unit * unit;
}

}  // namespace consort
