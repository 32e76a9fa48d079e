#include <fmt/format.h>

#include "kernels/add/add.h"
#include "kernels/lanes/cases.h"

namespace consort {
namespace {

PreparedCase add_case(std::int64_t rows, std::int64_t n, bool one_row) {
  CaseRandom random(static_cast<std::uint64_t>(rows * 1033 + n));
  const auto x = case_normals(random, static_cast<std::size_t>(rows * n));
  const auto y = case_normals(random, static_cast<std::size_t>(one_row ? n : rows * n));
  const std::int64_t y_rows = one_row ? 1 : rows;
  return rows_case(
      x->size(), 1.0f, 0.0f,
      [=](Exec& exec, const CaseFloats& out) {
        *out = *x;
        add(exec, case_view(out, {rows, n}), case_view(y, {y_rows, n}));
      },
      [=](const CaseFloats& out) {
        *out = *x;
        reference::add(case_view(out, {rows, n}), case_view(y, {y_rows, n}));
      });
}

PreparedCase scale_case(std::int64_t rows, std::int64_t n) {
  CaseRandom random(static_cast<std::uint64_t>(rows * 1039 + n));
  const auto x = case_normals(random, static_cast<std::size_t>(rows * n));
  return rows_case(
      x->size(), 1.0f, 0.0f,
      [=](Exec& exec, const CaseFloats& out) {
        *out = *x;
        scale(exec, case_view(out, {rows, n}), 25.3f);
      },
      [=](const CaseFloats& out) {
        for (std::size_t i = 0; i < x->size(); ++i)
          (*out)[i] = static_cast<float>(25.3f * static_cast<double>((*x)[i]));
      });
}

}  // namespace

std::vector<OpCase> cases_add() {
  std::vector<OpCase> cases;
  for (const auto& [rows, n] : {std::pair{1, 576}, {3, 17}, {300, 640}}) {
    for (const bool one_row : {false, true})
      cases.push_back(op_case(fmt::format("[{}, {}]{}", rows, n, one_row ? " one row" : ""),
                              [=](Exec&) { return add_case(rows, n, one_row); }));
    cases.push_back(
        op_case(fmt::format("scale [{}, {}]", rows, n), [=](Exec&) { return scale_case(rows, n); }));
  }
  return cases;
}

}  // namespace consort
