#include "kernels/exec/cases.h"

#include <cmath>

namespace consort {

std::string first_difference(const PreparedCase& c) {
  const std::vector<float>&out = *c.out, &expected = *c.expected, &bound = *c.bound;
  if (out.size() != expected.size() || (bound.size() != 1 && bound.size() != out.size()))
    return "outputs, expected values and bounds differ in number";
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float allowed = bound[bound.size() == 1 ? 0 : i];
    // Not `>`: a NaN (an output nobody wrote) must fail too.
    if (!(std::fabs(out[i] - expected[i]) <= allowed) && out[i] != expected[i])
      return "output " + std::to_string(i) + " is " + std::to_string(out[i]) + ", the reference " +
             std::to_string(expected[i]) + " +- " + std::to_string(allowed);
  }
  return {};
}

std::uint64_t CaseRandom::next() {  // Steele, Lea, Flood 2014: splitmix64
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

float CaseRandom::uniform(float low, float high) {
  const double unit = static_cast<double>(next() >> 11) * 0x1p-53;
  return static_cast<float>(low + (static_cast<double>(high) - low) * unit);
}

float CaseRandom::normal() {
  const double u = (static_cast<double>(next() >> 11) + 1.0) * 0x1p-53;  // (0, 1]
  const double v = static_cast<double>(next() >> 11) * 0x1p-53;
  return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v));
}

std::vector<float> CaseRandom::normals(std::size_t n, float scale) {
  std::vector<float> values(n);
  for (float& x : values) x = scale * normal();
  return values;
}

}  // namespace consort
