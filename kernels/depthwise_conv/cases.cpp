#include <fmt/format.h>

#include "kernels/depthwise_conv/depthwise_conv.h"
#include "kernels/lanes/cases.h"

namespace consort {
namespace {

PreparedCase make_case(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c, ConvShape s,
                       ConvActivation activation) {
  CaseRandom random(static_cast<std::uint64_t>(h * 7919 + c * 31 + s.kernel_h));
  const std::int64_t taps = s.kernel_h * s.kernel_w, oh = s.out_h(h), ow = s.out_w(w);
  const auto size = static_cast<std::size_t>(n * oh * ow * c);
  const auto x = case_normals(random, static_cast<std::size_t>(n * h * w * c));
  const auto weights = case_normals(random, static_cast<std::size_t>(taps * c), 0.3f);
  const auto bias = case_normals(random, static_cast<std::size_t>(c));
  PreparedCase result = rows_case(
      size, static_cast<float>(taps + 4), 8.0f,
      [=](Exec& exec, const CaseFloats& out) {
        depthwise_conv(exec, case_view(x, {n, h, w, c}), case_view(weights, {s.kernel_h, s.kernel_w, c}),
                       case_view(bias, {c}), s, activation, case_view(out, {n, oh, ow, c}));
      },
      [=](const CaseFloats& out) {
        reference::depthwise_conv(case_view(x, {n, h, w, c}), case_view(weights, {s.kernel_h, s.kernel_w, c}),
                                  case_view(bias, {c}), s, activation, case_view(out, {n, oh, ow, c}));
      });
  result.flops = 2.0 * static_cast<double>(size) * static_cast<double>(taps);
  result.bytes = 4.0 * static_cast<double>(x->size() + size);
  return result;
}

struct Setting {
  std::int64_t n, h, w, c, kernel, stride;
  bool perf = false;
};

}  // namespace

std::vector<OpCase> cases_depthwise_conv() {
  const Setting settings[] = {
      {1, 5, 4, 3, 3, 1},           {2, 9, 15, 48, 3, 1},          {1, 10, 11, 40, 3, 2},
      {2, 7, 7, 33, 5, 1},          {1, 13, 12, 64, 5, 2},         {1, 8, 9, 20, 7, 1},
      {1, 2, 1, 16, 5, 2},          {1, 112, 112, 96, 3, 2, true}, {1, 56, 56, 144, 3, 1, true},
      {1, 14, 14, 672, 5, 1, true}, {1, 7, 7, 1152, 5, 1, true},
  };
  std::vector<OpCase> cases;
  for (const Setting& s : settings)
    for (const ConvActivation activation : {ConvActivation::kRelu6, ConvActivation::kNone}) {
      if (s.perf && activation == ConvActivation::kNone) continue;
      cases.push_back(op_case(
          fmt::format("[{}, {}, {}, {}] {}x{}/{}{}", s.n, s.h, s.w, s.c, s.kernel, s.kernel, s.stride,
                      activation == ConvActivation::kRelu6 ? " relu6" : ""),
          [=](Exec&) {
            return make_case(s.n, s.h, s.w, s.c, same_padding(s.kernel, s.stride, s.h, s.w), activation);
          },
          s.perf));
      cases.back().parity = !s.perf;
    }
  return cases;
}

}  // namespace consort
