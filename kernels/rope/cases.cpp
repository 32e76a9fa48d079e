#include <fmt/format.h>

#include "kernels/lanes/cases.h"
#include "kernels/rope/rope.h"

namespace consort {
namespace {

PreparedCase rope_case(RopeStyle style, std::int64_t tokens, std::int64_t heads, std::int64_t dim,
                       int turned) {
  CaseRandom random(static_cast<std::uint64_t>(tokens * 1031 + heads * 7 + dim));
  const auto x = case_normals(random, static_cast<std::size_t>(tokens * heads * dim));
  auto positions = std::make_shared<std::vector<std::int32_t>>();
  for (std::int64_t t = 0; t < tokens; ++t)
    positions->push_back(static_cast<std::int32_t>(t * t * 13 % 8000));
  const auto frequencies = std::make_shared<std::vector<double>>(rope_frequencies(turned, 1e5));
  const auto cos = case_floats(static_cast<std::size_t>(tokens * turned)), sin = case_floats(cos->size());
  PreparedCase c = rows_case(
      x->size(), 8.0f, 4.0f,
      [=](Exec& exec, const CaseFloats& out) {
        *out = *x;
        rope_angles(exec, *positions, *frequencies, style, case_view(cos, {tokens, turned}),
                    case_view(sin, {tokens, turned}));
        rope(exec, case_view(out, {tokens, heads, dim}), case_view(cos, {tokens, turned}),
             case_view(sin, {tokens, turned}), style);
      },
      [=](const CaseFloats& out) {
        *out = *x;
        reference::rope(case_view(out, {tokens, heads, dim}), *positions, *frequencies, style);
      });
  c.bytes = static_cast<double>(x->size()) * 8;
  return c;
}

}  // namespace

std::vector<OpCase> cases_rope() {
  std::vector<OpCase> cases;
  for (const RopeStyle style : {RopeStyle::kInterleaved, RopeStyle::kHalves}) {
    const char* name = style == RopeStyle::kInterleaved ? "pairs" : "halves";
    const auto add = [&](std::int64_t tokens, std::int64_t heads, std::int64_t dim, int turned, bool perf) {
      cases.push_back(op_case(
          fmt::format("{} [{}, {}, {}] of {}", name, tokens, heads, turned, dim),
          [=](Exec&) { return rope_case(style, tokens, heads, dim, turned); }, perf));
    };
    add(1, 9, 64, 64, true);
    add(200, 12, 64, 64, true);
    add(5, 4, 256, 256, false);
    add(3, 2, 48, 20, false);
  }
  return cases;
}

}  // namespace consort
