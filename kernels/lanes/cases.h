// Helpers for the cases.cpp of ops over rows of floats.
#pragma once

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/exec/cases.h"

namespace consort {

using CaseFloats = std::shared_ptr<std::vector<float>>;

inline CaseFloats case_normals(CaseRandom& random, std::size_t n, float scale = 1.0f) {
  return std::make_shared<std::vector<float>>(random.normals(n, scale));
}

inline TensorView case_view(const CaseFloats& data, std::initializer_list<std::int64_t> dims) {
  return make_view(data->data(), DType::kF32, dims);
}

// `ulps` roundings of a value's own size, plus as many of `scale` (the size of what was summed or cancelled).
inline void fill_bound(const std::vector<float>& expected, std::vector<float>& bound, float ulps,
                       float scale) {
  constexpr float kHalfUlp = std::numeric_limits<float>::epsilon() / 2;
  for (std::size_t i = 0; i < expected.size(); ++i)
    bound[i] = ulps * kHalfUlp * (std::abs(expected[i]) + scale);
}

// A case whose op and reference write [rows, cols] floats through a view.
template <typename Run, typename Reference>
PreparedCase rows_case(std::size_t outputs, float ulps, float scale, Run run, Reference reference) {
  PreparedCase c;
  c.out = case_floats(outputs);
  c.expected = case_floats(outputs);
  c.bound = case_floats(outputs);
  c.run = [run, out = c.out](Exec& exec) { run(exec, out); };
  c.reference = [reference, ulps, scale, expected = c.expected, bound = c.bound] {
    reference(expected);
    fill_bound(*expected, *bound, ulps, scale);
  };
  return c;
}

inline OpCase op_case(std::string name, std::function<PreparedCase(Exec&)> prepare, bool perf = false) {
  return {std::move(name), std::move(prepare), perf, true, true};
}

}  // namespace consort
