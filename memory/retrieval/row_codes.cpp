#include "memory/retrieval/row_codes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

namespace consort {
namespace {

constexpr double kUp = 1 + 1e-12;  // covers the rounding of a few operations in double
constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kLargest = 1e37;  // above, products may overflow in float and no bound holds

double norm(std::span<const float> v) {
  double squares = 0;
  for (const float x : v) squares += static_cast<double>(x) * x;
  return std::sqrt(squares) * kUp;
}

// The query as integers that keep every sum within 32 bits, and what bounds need of it.
struct CodedQuery {
  std::vector<std::int16_t> codes;
  double scale = 0;  // t
  double norm = 0;   // |q|
  double rest = 0;   // |p|
};

CodedQuery coded(std::span<const float> query) {
  CodedQuery out;
  out.codes.resize(query.size());
  out.norm = norm(query);
  float largest = 0;
  for (const float x : query) largest = std::max(largest, std::abs(x));
  const double fits = std::floor(2147483647.0 / (127.0 * static_cast<double>(query.size())));
  const double most = std::min(32767.0, fits);
  out.scale = static_cast<double>(largest) / most;
  double squares = 0;
  for (std::size_t i = 0; i < query.size(); ++i) {
    const double code = out.scale > 0 ? std::round(static_cast<double>(query[i]) / out.scale) : 0;
    out.codes[i] = static_cast<std::int16_t>(std::clamp(code, -most, most));
    const double rest = static_cast<double>(query[i]) - out.scale * out.codes[i];
    squares += rest * rest;
  }
  out.rest = std::sqrt(squares) * kUp;
  return out;
}

// The k-th largest of the values so far; -infinity before there are k.
class Threshold {
 public:
  explicit Threshold(std::size_t k) : k_(k) {}
  void add(double value) {
    if (least_.size() == k_ && value <= least_.top()) return;
    least_.push(value);
    if (least_.size() > k_) least_.pop();
  }
  double value() const { return least_.size() == k_ ? least_.top() : -kInfinite; }

 private:
  std::size_t k_;
  std::priority_queue<double, std::vector<double>, std::greater<>> least_;
};

}  // namespace

void code_dots_portable(const std::int16_t* query, const std::int8_t* codes, std::size_t rows, std::size_t n,
                        std::int32_t* out) {
  for (std::size_t r = 0; r < rows; ++r) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += query[i] * codes[r * n + i];
    out[r] = sum;
  }
}

std::size_t RowCodes::bytes() const {
  return codes_.capacity() + scales_.capacity() * sizeof(float) +
         (rests_.capacity() + norms_.capacity()) * sizeof(double);
}

void RowCodes::put(std::size_t row, std::span<const float> vector) {
  if (row == size()) {
    codes_.resize(codes_.size() + dimension_);
    scales_.push_back(0);
    rests_.push_back(0);
    norms_.push_back(0);
  }
  float largest = 0;
  for (const float x : vector) largest = std::max(largest, std::abs(x));
  const float scale = largest / 127;
  double squares = 0;
  for (std::size_t i = 0; i < dimension_; ++i) {
    const double x = static_cast<double>(vector[i]);
    const double code = scale > 0 ? std::clamp(std::round(x / static_cast<double>(scale)), -127.0, 127.0) : 0;
    codes_[row * dimension_ + i] = static_cast<std::int8_t>(code);
    const double rest = x - static_cast<double>(scale) * code;
    squares += rest * rest;
  }
  scales_[row] = scale;
  rests_[row] = std::sqrt(squares) * kUp;
  norms_[row] = norm(vector);
}

void RowCodes::replace_by_last(std::size_t row) {
  const std::size_t last = size() - 1;
  if (row != last) {
    const auto from = codes_.begin() + static_cast<std::ptrdiff_t>(last * dimension_);
    std::copy(from, codes_.end(), codes_.begin() + static_cast<std::ptrdiff_t>(row * dimension_));
    scales_[row] = scales_[last];
    rests_[row] = rests_[last];
    norms_[row] = norms_[last];
  }
  codes_.resize(last * dimension_);
  scales_.pop_back();
  rests_.pop_back();
  norms_.pop_back();
}

std::vector<std::uint32_t> RowCodes::candidates(std::span<const float> query, std::size_t k,
                                                std::span<const float> factors, CodeDotsFunction dots,
                                                const std::function<bool(std::size_t)>& accept,
                                                std::size_t& accepted) const {
  constexpr std::size_t kBlock = 256;
  const CodedQuery q = coded(query);
  const auto n = static_cast<double>(dimension_);
  const double gamma = (n + 32) * 0x1p-24 * 1.01, tiny = n * 0x1p-125;
  std::vector<std::pair<double, std::uint32_t>> kept;  // upper bound, row
  Threshold threshold(k);
  std::int32_t products[kBlock];
  accepted = 0;
  for (std::size_t begin = 0; begin < size(); begin += kBlock) {
    const std::size_t count = std::min(kBlock, size() - begin);
    dots(q.codes.data(), codes_.data() + begin * dimension_, count, dimension_, products);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t row = begin + i;
      if (accept && !accept(row)) continue;
      ++accepted;
      const double factor = factors.empty() ? 1 : static_cast<double>(factors[row]);
      const double near = static_cast<double>(scales_[row]) * q.scale * products[i];
      double away = (q.norm * (rests_[row] + gamma * norms_[row]) + q.rest * (norms_[row] + rests_[row]) + tiny) *
                        kUp +
                    std::abs(near) * 1e-12;
      if (q.norm * norms_[row] > kLargest) away = kInfinite;
      const double upper = away < kInfinite ? factor * (near + away) : kInfinite;
      if (upper < threshold.value()) continue;
      kept.emplace_back(upper, static_cast<std::uint32_t>(row));
      threshold.add(away < kInfinite ? factor * (near - away) : -kInfinite);
    }
  }
  std::vector<std::uint32_t> out;
  for (const auto& [upper, row] : kept)
    if (upper >= threshold.value()) out.push_back(row);
  return out;
}

}  // namespace consort
