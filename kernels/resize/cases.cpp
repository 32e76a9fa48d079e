#include <fmt/format.h>

#include "kernels/lanes/cases.h"
#include "kernels/resize/resize.h"

namespace consort {
namespace {

struct Setting {
  std::int64_t width, height;
  ResizeTarget target;
  ResizeFilter filter;
  bool perf = false;
};

PreparedCase make_case(const Setting& s) {
  CaseRandom random(static_cast<std::uint64_t>(s.width * 7919 + s.height));
  const auto picture =
      std::make_shared<std::vector<std::uint8_t>>(static_cast<std::size_t>(s.width * s.height * 3));
  for (std::uint8_t& byte : *picture)
    byte = static_cast<std::uint8_t>(random.next() & 1 ? random.next() : 255);
  const auto size = static_cast<std::size_t>(s.target.rows * s.target.columns * 3);
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(size);
  const RgbView view{picture->data(), s.width, s.height};
  PreparedCase c;
  c.out = case_floats(size);
  c.expected = case_floats(size);
  c.bound = case_floats(1);  // exact
  c.run = [=, out = c.out](Exec& exec) {
    resize_rgb8(exec.isa, view, s.target, s.filter, bytes->data());
    std::copy(bytes->begin(), bytes->end(), out->begin());
  };
  c.reference = [=, keep = picture, expected = c.expected] {
    reference::resize_rgb8(view, s.target, s.filter, bytes->data());
    std::copy(bytes->begin(), bytes->end(), expected->begin());
  };
  c.bytes = static_cast<double>(picture->size());
  return c;
}

}  // namespace

std::vector<OpCase> cases_resize() {
  std::vector<OpCase> cases;
  for (const ResizeFilter filter : {ResizeFilter::kBicubic, ResizeFilter::kBilinear}) {
    const Setting settings[] = {
        {1, 1, {7, 5, 0, 0, 7, 5}, filter},        {45, 30, {38, 25, 7, 0, 22, 25}, filter},
        {19, 31, {40, 70, 3, 11, 21, 40}, filter}, {33, 20, {33, 9, 4, 2, 20, 5}, filter},
        {20, 33, {9, 33, 2, 4, 5, 20}, filter},    {300, 9, {8, 224, 0, 0, 8, 224}, filter},
        {12, 12, {12, 12, 1, 2, 3, 4}, filter},    {2000, 1500, {341, 256, 58, 16, 224, 224}, filter, true},
    };
    for (const Setting& s : settings) {
      cases.push_back(op_case(
          fmt::format("{} {}x{} -> {}x{}", filter == ResizeFilter::kBicubic ? "bicubic" : "bilinear", s.width,
                      s.height, s.target.width, s.target.height),
          [s](Exec&) { return make_case(s); }, s.perf));
      cases.back().parity = !s.perf;
    }
  }
  return cases;
}

}  // namespace consort
