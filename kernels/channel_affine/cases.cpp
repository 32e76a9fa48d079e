#include <fmt/format.h>

#include "kernels/channel_affine/channel_affine.h"
#include "kernels/lanes/cases.h"

namespace consort {
namespace {

PreparedCase affine_case(std::int64_t rows, std::int64_t n, bool scaled, ChannelActivation activation) {
  CaseRandom random(static_cast<std::uint64_t>(rows * 7 + n));
  const auto x = case_normals(random, static_cast<std::size_t>(rows * n), 2.0f);
  const auto scale = case_normals(random, static_cast<std::size_t>(n));
  const auto shift = case_normals(random, static_cast<std::size_t>(n));
  const auto centre = case_normals(random, static_cast<std::size_t>(n));
  const auto factors = [=] {
    ChannelFactors f{{}, {}, case_view(shift, {n})};
    if (scaled) f.centre = case_view(centre, {n});
    if (scaled) f.scale = case_view(scale, {n});
    return f;
  };
  PreparedCase c = rows_case(
      x->size(), 4.0f, 6.0f,  // e^v - 1 cancels to an absolute error of an ulp of 1
      [=](Exec& exec, const CaseFloats& out) {
        *out = *x;
        channel_affine(exec, case_view(out, {rows, n}), factors(), activation);
      },
      [=](const CaseFloats& out) {
        *out = *x;
        reference::channel_affine(case_view(out, {rows, n}), factors(), activation);
      });
  c.bytes = static_cast<double>(x->size()) * 8;
  return c;
}

}  // namespace

std::vector<OpCase> cases_channel_affine() {
  using A = ChannelActivation;
  return {op_case("1 x 5 none", [](Exec&) { return affine_case(1, 5, true, A::kNone); }),
          op_case(
              "900 x 300 relu", [](Exec&) { return affine_case(900, 300, true, A::kRelu); }, true),
          op_case("40 x 33 elu", [](Exec&) { return affine_case(40, 33, true, A::kElu); }),
          op_case("40 x 64 bias, elu", [](Exec&) { return affine_case(40, 64, false, A::kElu); })};
}

}  // namespace consort
