#include <fmt/format.h>

#include "kernels/gather/gather.h"
#include "kernels/lanes/cases.h"

namespace consort {
namespace {

// An atom's embedding: one table's row, then another's added.
PreparedCase gather_case(std::size_t rows, std::int64_t n) {
  CaseRandom random(907 + rows * 13 + static_cast<std::size_t>(n));
  constexpr std::int64_t kAtoms = 120, kTags = 3;
  const auto atoms = case_normals(random, static_cast<std::size_t>(kAtoms * n));
  const auto tags = case_normals(random, static_cast<std::size_t>(kTags * n));
  std::vector<std::int32_t> a(rows), t(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    a[r] = static_cast<std::int32_t>(random.next() % kAtoms);
    t[r] = static_cast<std::int32_t>(random.next() % kTags);
  }
  const std::int64_t m = static_cast<std::int64_t>(rows);
  PreparedCase c = rows_case(
      rows * static_cast<std::size_t>(n), 0.0f, 0.0f,
      [=](Exec& exec, const CaseFloats& out) {
        gather(exec, case_view(atoms, {kAtoms, n}), a, case_view(out, {m, n}));
        gather_add(exec, case_view(tags, {kTags, n}), t, case_view(out, {m, n}));
      },
      [=](const CaseFloats& out) {
        reference::gather(case_view(atoms, {kAtoms, n}), a, false, case_view(out, {m, n}));
        reference::gather(case_view(tags, {kTags, n}), t, true, case_view(out, {m, n}));
      });
  c.bytes = static_cast<double>(m * n) * 16;
  return c;
}

}  // namespace

std::vector<OpCase> cases_gather() {
  std::vector<OpCase> cases;
  for (const std::size_t rows : {1u, 7u, 333u, 2048u})
    for (const std::int64_t n : {1, 300})
      cases.push_back(op_case(
          fmt::format("{} rows, width {}", rows, n), [=](Exec&) { return gather_case(rows, n); },
          rows == 2048));
  return cases;
}

}  // namespace consort
