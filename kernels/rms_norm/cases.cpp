#include <fmt/format.h>

#include "kernels/lanes/cases.h"
#include "kernels/rms_norm/rms_norm.h"

namespace consort {
namespace {

// Bound: a relative error of n/64 additions a lane in the sum, a root, a division, two products.
PreparedCase norm_case(std::int64_t rows, std::int64_t n) {
  CaseRandom random(static_cast<std::uint64_t>(rows * 1009 + n));
  const auto x = case_normals(random, static_cast<std::size_t>(rows * n), 30.0f);
  const auto weight = case_normals(random, static_cast<std::size_t>(n));
  PreparedCase c = rows_case(
      x->size(), 16.0f + static_cast<float>(n) / 64.0f, 0.0f,
      [=](Exec& exec, const CaseFloats& out) {
        rms_norm(exec, case_view(x, {rows, n}), case_view(weight, {n}), 1e-5f, case_view(out, {rows, n}));
      },
      [=](const CaseFloats& out) {
        reference::rms_norm(case_view(x, {rows, n}), case_view(weight, {n}), 1e-5f,
                            case_view(out, {rows, n}));
      });
  c.bytes = static_cast<double>(rows * n) * 8;
  c.flops = static_cast<double>(rows * n) * 4;
  return c;
}

// residual += delta and the norm of the sum, both compared.
PreparedCase add_norm_case(std::int64_t rows, std::int64_t n) {
  CaseRandom random(static_cast<std::uint64_t>(rows * 2003 + n));
  const std::size_t size = static_cast<std::size_t>(rows * n);
  const auto x = case_normals(random, size, 30.0f), delta = case_normals(random, size);
  const auto weight = case_normals(random, static_cast<std::size_t>(n));
  return rows_case(
      2 * size, 20.0f + static_cast<float>(n) / 64.0f, 1.0f,
      [=](Exec& exec, const CaseFloats& out) {
        std::copy(x->begin(), x->end(), out->begin());
        add_rms_norm(exec, case_view(out, {rows, n}), case_view(delta, {rows, n}), case_view(weight, {n}),
                     1e-6f, make_view(out->data() + size, DType::kF32, {rows, n}));
      },
      [=](const CaseFloats& out) {
        for (std::size_t i = 0; i < size; ++i) (*out)[i] = (*x)[i] + (*delta)[i];
        reference::rms_norm(case_view(out, {rows, n}), case_view(weight, {n}), 1e-6f,
                            make_view(out->data() + size, DType::kF32, {rows, n}));
      });
}

}  // namespace

std::vector<OpCase> cases_rms_norm() {
  std::vector<OpCase> cases;
  for (const auto& [rows, n] : {std::pair{1, 576}, {1, 1}, {3, 17}, {5, 255}, {64, 640}, {512, 576}}) {
    cases.push_back(op_case(
        fmt::format("[{}, {}]", rows, n), [=](Exec&) { return norm_case(rows, n); }, rows != 3));
    cases.push_back(
        op_case(fmt::format("add [{}, {}]", rows, n), [=](Exec&) { return add_norm_case(rows, n); }));
  }
  return cases;
}

}  // namespace consort
