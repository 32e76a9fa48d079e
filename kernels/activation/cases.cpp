#include <fmt/format.h>

#include "kernels/activation/activation.h"
#include "kernels/lanes/cases.h"

namespace consort {
namespace {

PreparedCase gate_case(GateKind kind, std::int64_t rows, std::int64_t n) {
  CaseRandom random(static_cast<std::uint64_t>(rows * 1019 + n));
  const std::size_t size = static_cast<std::size_t>(rows * n);
  const auto gate = case_normals(random, size, 4.0f), up = case_normals(random, size);
  for (std::size_t i = 0; i < size; i += 53) (*gate)[i] *= 20.0f;  // both flat ends of the curve
  PreparedCase c = rows_case(
      size, 64.0f, 1e-6f,
      [=](Exec& exec, const CaseFloats& out) {
        gated_activation(exec, kind, case_view(gate, {rows, n}), case_view(up, {rows, n}),
                         case_view(out, {rows, n}));
      },
      [=](const CaseFloats& out) {
        reference::gated_activation(kind, case_view(gate, {rows, n}), case_view(up, {rows, n}),
                                    case_view(out, {rows, n}));
      });
  // e^x keeps a relative error of |x| roundings; behind |x| = 87 the curve is cut to 1e-38.
  c.reference = [inner = c.reference, bound = c.bound, gate, up] {
    inner();
    for (std::size_t i = 0; i < bound->size(); ++i) (*bound)[i] += 1e-6f * std::abs((*up)[i]);
  };
  c.bytes = static_cast<double>(size) * 12;
  return c;
}

PreparedCase gelu_case(std::int64_t rows, std::int64_t n, bool biased) {
  CaseRandom random(static_cast<std::uint64_t>(rows * 1021 + n));
  const std::size_t size = static_cast<std::size_t>(rows * n);
  const auto x = case_normals(random, size, 3.0f), bias = case_normals(random, static_cast<std::size_t>(n));
  PreparedCase c = rows_case(
      size, 16.0f, 0.0f,
      [=](Exec& exec, const CaseFloats& out) {
        *out = *x;
        gelu_erf(exec, case_view(out, {rows, n}), biased ? case_view(bias, {n}) : TensorView{});
      },
      [=](const CaseFloats& out) {
        *out = *x;
        reference::gelu_erf(case_view(out, {rows, n}), biased ? case_view(bias, {n}) : TensorView{});
      });
  c.reference = [inner = c.reference, bound = c.bound, x] {
    inner();  // erf within 2e-7, times half of x
    for (std::size_t i = 0; i < bound->size(); ++i) (*bound)[i] += 4e-7f * (std::abs((*x)[i]) + 4.0f);
  };
  c.bytes = static_cast<double>(size) * 8;
  return c;
}

PreparedCase activate_case(Activation kind, std::int64_t rows, std::int64_t n) {
  CaseRandom random(static_cast<std::uint64_t>(rows * 1031 + n));
  const std::size_t size = static_cast<std::size_t>(rows * n);
  const auto x = case_normals(random, size, 4.0f);
  PreparedCase c = rows_case(
      size, 64.0f, 1e-6f,
      [=](Exec& exec, const CaseFloats& out) {
        *out = *x;
        activate(exec, kind, case_view(out, {rows, n}));
      },
      [=](const CaseFloats& out) {
        *out = *x;
        reference::activate(kind, case_view(out, {rows, n}));
      });
  c.reference = [inner = c.reference, bound = c.bound, x] {
    inner();  // as for the gates, and erf within 2e-7
    for (std::size_t i = 0; i < bound->size(); ++i) (*bound)[i] += 4e-7f * (std::abs((*x)[i]) + 4.0f);
  };
  c.bytes = static_cast<double>(size) * 8;
  return c;
}

}  // namespace

std::vector<OpCase> cases_activation() {
  std::vector<OpCase> cases;
  for (const auto& [rows, n] : {std::pair{1, 1536}, {3, 21}, {512, 1536}}) {
    cases.push_back(op_case(
        fmt::format("silu [{}, {}]", rows, n), [=](Exec&) { return gate_case(GateKind::kSilu, rows, n); },
        rows != 3));
    cases.push_back(op_case(
        fmt::format("gelu-tanh [{}, {}]", rows, n),
        [=](Exec&) { return gate_case(GateKind::kGeluTanh, rows, n); }, rows != 3));
    for (const auto& [kind, name] : {std::pair{Activation::kQuickGelu, "quick-gelu alone"},
                                     {Activation::kGeluTanh, "gelu-tanh alone"},
                                     {Activation::kGelu, "gelu alone"}})
      cases.push_back(op_case(
          fmt::format("{} [{}, {}]", name, rows, n),
          [=, kind = kind](Exec&) { return activate_case(kind, rows, n); }, false));
    for (const bool biased : {false, true})
      cases.push_back(op_case(
          fmt::format("gelu{} [{}, {}]", biased ? " bias" : "", rows, n),
          [=](Exec&) { return gelu_case(rows, n, biased); }, rows != 3));
  }
  return cases;
}

}  // namespace consort
