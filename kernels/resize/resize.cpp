#include "kernels/resize/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/resize/kernel.h"

namespace consort {
namespace {

constexpr double kOne = 1 << 22;
constexpr std::int32_t kRounding = 1 << 21;

double triangle(double x) {
  return std::abs(x) < 1.0 ? 1.0 - std::abs(x) : 0.0;
}

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

}  // namespace

ResizeAxis::ResizeAxis(std::int64_t n_in, std::int64_t n_out, std::int64_t first, std::int64_t count,
                       ResizeFilter filter) {
  const double scale = static_cast<double>(n_in) / static_cast<double>(n_out), stretch = std::max(scale, 1.0);
  const double support = (filter == ResizeFilter::kBicubic ? 2.0 : 1.0) * stretch, inverse = 1.0 / stretch;
  most = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
  begin.resize(static_cast<std::size_t>(count));
  taps.resize(static_cast<std::size_t>(count));
  weights.resize(static_cast<std::size_t>(count * most));
  std::vector<double> exact(static_cast<std::size_t>(most));
  for (std::int64_t i = 0; i < count; ++i) {
    const double centre = (static_cast<double>(first + i) + 0.5) * scale;
    const auto low = std::max<std::int64_t>(static_cast<std::int64_t>(centre - support + 0.5), 0);
    const auto high = std::min<std::int64_t>(static_cast<std::int64_t>(centre + support + 0.5), n_in);
    double sum = 0;
    for (std::int64_t j = 0; j < high - low; ++j) {
      const double at = (static_cast<double>(j + low) - centre + 0.5) * inverse;
      exact[static_cast<std::size_t>(j)] = filter == ResizeFilter::kBicubic ? cubic(at) : triangle(at);
      sum += exact[static_cast<std::size_t>(j)];
    }
    begin[static_cast<std::size_t>(i)] = low;
    taps[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(high - low);
    for (std::int64_t j = 0; j < high - low; ++j) {
      const double w =
          (sum != 0.0 ? exact[static_cast<std::size_t>(j)] / sum : exact[static_cast<std::size_t>(j)]) * kOne;
      weights[static_cast<std::size_t>(i * most + j)] = static_cast<std::int32_t>(w < 0 ? w - 0.5 : w + 0.5);
    }
  }
}

namespace {

// Rows are resized across one by one and added at once, weighted, to every output row that they belong to
// (sums of integers have no order), so that nothing in between has the height of the picture.
void across_first(Isa isa, RgbView picture, const ResizeTarget& target, ResizeFilter filter,
                  std::uint8_t* out) {
  const bool across = picture.width != target.width, down = picture.height != target.height;
  const ResizeAxis columns(picture.width, target.width, target.left, across ? target.columns : 0, filter);
  const ResizeAxis rows(picture.height, target.height, target.top, down ? target.rows : 0, filter);
  const auto n = static_cast<std::size_t>(3 * target.columns);
  std::vector<std::uint8_t> line(across ? n : 0);
  const auto line_of = [&](std::int64_t y, std::uint8_t* to) -> const std::uint8_t* {
    const std::uint8_t* row = picture.data + 3 * y * picture.width;
    if (!across) return row + 3 * target.left;
    const ResizeRow args{row,
                         columns.begin.data(),
                         columns.taps.data(),
                         columns.weights.data(),
                         static_cast<std::size_t>(columns.most),
                         static_cast<std::size_t>(target.columns),
                         to};
    CONSORT_ISA_CALL(isa, resize_across, args);
    return to;
  };
  if (!down) {
    for (std::int64_t r = 0; r < target.rows; ++r) {
      std::uint8_t* to = out + static_cast<std::size_t>(r) * n;
      if (const std::uint8_t* line_at = line_of(target.top + r, to); line_at != to)
        std::memcpy(to, line_at, n);
    }
    return;
  }
  std::vector<std::int32_t> sums(n * static_cast<std::size_t>(target.rows), kRounding);
  const std::int64_t end = rows.begin.back() + rows.taps.back();
  std::size_t open = 0;  // output rows before it are complete
  for (std::int64_t y = rows.begin.front(); y < end; ++y) {
    while (open < rows.begin.size() && rows.begin[open] + rows.taps[open] <= y) ++open;
    const std::uint8_t* bytes = nullptr;
    for (std::size_t r = open; r < rows.begin.size() && rows.begin[r] <= y; ++r) {
      const std::int64_t tap = y - rows.begin[r];
      if (tap >= rows.taps[r]) continue;
      if (bytes == nullptr) bytes = line_of(y, line.data());
      CONSORT_ISA_CALL(isa, add_weighted, bytes,
                       rows.weights[r * static_cast<std::size_t>(rows.most) + static_cast<std::size_t>(tap)],
                       n, sums.data() + r * n);
    }
  }
  CONSORT_ISA_CALL(isa, narrow_sums, sums.data(), sums.size(), out);
}

// Every output row is the weighted sum of its input rows, over the columns that the window needs, then
// resized across.
void down_first(Isa isa, RgbView picture, const ResizeTarget& target, ResizeFilter filter,
                std::uint8_t* out) {
  const bool across = picture.width != target.width;
  const ResizeAxis rows(picture.height, target.height, target.top, target.rows, filter);
  ResizeAxis columns(picture.width, target.width, target.left, across ? target.columns : 0, filter);
  const std::int64_t left = across ? columns.begin.front() : target.left;
  const std::int64_t right = across ? columns.begin.back() + columns.taps.back() : left + target.columns;
  for (std::int64_t& begin : columns.begin) begin -= left;
  const auto span = static_cast<std::size_t>(3 * (right - left)),
             n = static_cast<std::size_t>(3 * target.columns);
  std::vector<std::int32_t> sums(span);
  std::vector<std::uint8_t> line(span);
  for (std::size_t r = 0; r < static_cast<std::size_t>(target.rows); ++r) {
    std::fill(sums.begin(), sums.end(), kRounding);
    for (std::int64_t t = 0; t < rows.taps[r]; ++t) {
      const std::uint8_t* row = picture.data + 3 * ((rows.begin[r] + t) * picture.width + left);
      const std::size_t weight = r * static_cast<std::size_t>(rows.most) + static_cast<std::size_t>(t);
      CONSORT_ISA_CALL(isa, add_weighted, row, rows.weights[weight], span, sums.data());
    }
    std::uint8_t* to = out + r * n;
    CONSORT_ISA_CALL(isa, narrow_sums, sums.data(), span, across ? line.data() : to);
    if (!across) continue;
    const ResizeRow args{line.data(),
                         columns.begin.data(),
                         columns.taps.data(),
                         columns.weights.data(),
                         static_cast<std::size_t>(columns.most),
                         static_cast<std::size_t>(target.columns),
                         to};
    CONSORT_ISA_CALL(isa, resize_across, args);
  }
}

}  // namespace

bool resizes_down_first(RgbView picture, const ResizeTarget& target) {
  const std::int64_t fewer_rows = picture.height - target.height;
  return fewer_rows > 0 && fewer_rows > 2 * (picture.width - target.width);
}

void resize_rgb8(Isa isa, RgbView picture, const ResizeTarget& target, ResizeFilter filter,
                 std::uint8_t* out) {
  if (resizes_down_first(picture, target))
    down_first(isa, picture, target, filter, out);
  else
    across_first(isa, picture, target, filter, out);
}

}  // namespace consort
