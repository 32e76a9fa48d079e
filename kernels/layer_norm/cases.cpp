#include <fmt/format.h>

#include "kernels/lanes/cases.h"
#include "kernels/layer_norm/layer_norm.h"

namespace consort {
namespace {

PreparedCase norm_case(std::int64_t rows, std::int64_t n, bool adds) {
  CaseRandom random(static_cast<std::uint64_t>(rows * 1013 + n));
  const std::size_t size = static_cast<std::size_t>(rows * n);
  const auto x = case_normals(random, size, 3.0f), delta = case_normals(random, size);
  const auto weight = case_normals(random, static_cast<std::size_t>(n));
  const auto bias = case_normals(random, static_cast<std::size_t>(n));
  const TensorView none;
  PreparedCase c = rows_case(
      size, 32.0f + static_cast<float>(n) / 16.0f,
      4.0f,  // deviations are differences: errors of x's own size
      [=](Exec& exec, const CaseFloats& out) {
        add_layer_norm(exec, case_view(x, {rows, n}), adds ? case_view(delta, {rows, n}) : none,
                       case_view(weight, {n}), case_view(bias, {n}), 1e-12f, case_view(out, {rows, n}));
      },
      [=](const CaseFloats& out) {
        auto sum = std::make_shared<std::vector<float>>(*x);
        for (std::size_t i = 0; adds && i < size; ++i) (*sum)[i] += (*delta)[i];
        reference::layer_norm(case_view(sum, {rows, n}), case_view(weight, {n}), case_view(bias, {n}), 1e-12f,
                              case_view(out, {rows, n}));
      });
  c.bytes = static_cast<double>(rows * n) * 8;
  return c;
}

}  // namespace

std::vector<OpCase> cases_layer_norm() {
  std::vector<OpCase> cases;
  for (const auto& [rows, n] : {std::pair{1, 384}, {2, 19}, {7, 33}, {256, 384}})
    for (const bool adds : {false, true})
      cases.push_back(op_case(
          fmt::format("{}[{}, {}]", adds ? "add " : "", rows, n),
          [=](Exec&) { return norm_case(rows, n, adds); }, rows > 7));
  return cases;
}

}  // namespace consort
