#include <fmt/format.h>

#include "kernels/conv2d/conv2d.h"
#include "kernels/lanes/cases.h"

namespace consort {
namespace {

struct Setting {
  std::int64_t n, h, w, c, outputs;
  ConvShape shape;
  ConvActivation activation = ConvActivation::kNone;
  bool residual = false;
  bool perf = false;
};

std::string name_of(const Setting& s) {
  return fmt::format("[{}, {}, {}, {}] -> {} {}x{}/{}{}{}", s.n, s.h, s.w, s.c, s.outputs, s.shape.kernel_h,
                     s.shape.kernel_w, s.shape.stride_w,
                     s.activation == ConvActivation::kRelu6 ? " relu6" : "", s.residual ? " residual" : "");
}

struct Packed {
  WeightArena arena;
  ConvWeights weights;
};

PreparedCase make_case(Exec& exec, const Setting& s) {
  static_cast<void>(exec);
  CaseRandom random(static_cast<std::uint64_t>(s.h * 7919 + s.c * 31 + s.outputs));
  const std::int64_t k = s.shape.kernel_h * s.shape.kernel_w * s.c, oh = s.shape.out_h(s.h),
                     ow = s.shape.out_w(s.w);
  const auto size = static_cast<std::size_t>(s.n * oh * ow * s.outputs);
  const auto x = case_normals(random, static_cast<std::size_t>(s.n * s.h * s.w * s.c));
  const auto w =
      case_normals(random, static_cast<std::size_t>(s.outputs * k), 1.0f / std::sqrt(static_cast<float>(k)));
  const auto bias = case_normals(random, static_cast<std::size_t>(s.outputs));
  const auto residual = case_normals(random, s.residual ? size : 0);
  static const std::shared_ptr<DevicePool> pool = DevicePool::create_cpu(std::size_t{1} << 30).value();
  const auto packed = std::make_shared<Packed>();
  packed->arena = WeightArena::create(*pool, Owner{"weights", "case"}).value();
  packed->weights = ConvWeights::pack(packed->arena, *w, *bias).value();
  const auto views = [=](const CaseFloats& data) {
    return data->empty() ? TensorView{} : case_view(data, {s.n, oh, ow, s.outputs});
  };
  PreparedCase c = rows_case(
      size, static_cast<float>(k + 4), 4.0f,  // sums of k products of size about 1 / sqrt k
      [=](Exec& e, const CaseFloats& out) {
        conv2d(e, case_view(x, {s.n, s.h, s.w, s.c}), packed->weights, s.shape, s.activation, views(residual),
               views(out));
      },
      [=](const CaseFloats& out) {
        reference::conv2d(case_view(x, {s.n, s.h, s.w, s.c}),
                          case_view(w, {s.outputs, s.shape.kernel_h, s.shape.kernel_w, s.c}),
                          case_view(bias, {s.outputs}), s.shape, s.activation, views(residual), views(out));
      });
  c.flops = 2.0 * static_cast<double>(size) * static_cast<double>(k);
  c.bytes = 4.0 * static_cast<double>(x->size() + w->size() + size);
  return c;
}

}  // namespace

std::vector<OpCase> cases_conv2d() {
  constexpr ConvShape kPoint{};
  const Setting settings[] = {
      {1, 5, 5, 3, 7, kPoint, ConvActivation::kRelu6},
      {2, 9, 7, 19, 33, kPoint, ConvActivation::kNone, true},
      {1, 14, 14, 40, 24, kPoint, ConvActivation::kRelu6, true},
      {2, 11, 13, 3, 32, same_padding(3, 2, 11, 13), ConvActivation::kRelu6},
      {1, 6, 5, 4, 5, same_padding(5, 1, 6, 5)},
      {1, 12, 8, 3, 20, {.kernel_h = 4, .kernel_w = 4, .stride_h = 4, .stride_w = 4}},
      {1,
       3,
       2,
       2,
       3,
       {.kernel_h = 7, .kernel_w = 7, .pad_top = 4, .pad_left = 5, .pad_bottom = 3, .pad_right = 6}},
      {1, 224, 224, 3, 32, same_padding(3, 2, 224, 224), ConvActivation::kRelu6, false, true},
      {1, 112, 112, 16, 96, kPoint, ConvActivation::kRelu6, false, true},
      {1, 56, 56, 144, 24, kPoint, ConvActivation::kNone, true, true},
      {1, 28, 28, 40, 240, kPoint, ConvActivation::kRelu6, false, true},
      {1, 14, 14, 672, 112, kPoint, ConvActivation::kNone, true, true},
      {1, 7, 7, 192, 1152, kPoint, ConvActivation::kRelu6, false, true},
      {1, 7, 7, 1152, 192, kPoint, ConvActivation::kNone, true, true},
  };
  std::vector<OpCase> cases;
  for (const Setting& s : settings) {
    cases.push_back(op_case(
        name_of(s), [s](Exec& exec) { return make_case(exec, s); }, s.perf));
    cases.back().parity = !s.perf;
  }
  return cases;
}

}  // namespace consort
