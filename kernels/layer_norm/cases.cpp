#include <cmath>

#include "kernels/exec/cases.h"
#include "kernels/layer_norm/layer_norm.h"

namespace consort {
namespace {

constexpr float kUnit = 0x1p-24f;  // unit roundoff of float32
constexpr float kEps = 1e-12f;     // as in BERT

struct Inputs {
  std::vector<float> x, delta, weight, bias;
};

TensorView rows(std::vector<float>& values, std::int64_t tokens, std::int64_t n) {
  return make_view(values.data(), DType::kF32, {tokens, n});
}

// Mean and variance are sums of n terms; an error of the mean moves every output by its share of the
// deviation.
void fill_bound(const Inputs& in, const std::vector<float>& y, std::int64_t n,
                const std::vector<float>& expected, std::vector<float>& bound) {
  for (std::size_t first = 0; first < y.size(); first += static_cast<std::size_t>(n)) {
    double mean = 0, square = 0, largest = 0;
    for (std::int64_t i = 0; i < n; ++i) mean += y[first + i] / static_cast<double>(n);
    for (std::int64_t i = 0; i < n; ++i) {
      square += (y[first + i] - mean) * (y[first + i] - mean) / static_cast<double>(n);
      largest = std::max(largest, std::fabs(double{y[first + i]}));
    }
    const double inverse = 1 / std::sqrt(square + kEps);
    for (std::int64_t i = 0; i < n; ++i) {
      const double weight = std::fabs(in.weight[i]), scaled = std::fabs(expected[first + i] - in.bias[i]);
      const double terms = static_cast<double>(n) + 8;
      bound[first + i] = static_cast<float>(
          kUnit * (weight * inverse * largest * terms + scaled * 2 * terms + std::fabs(in.bias[i]) * 2));
    }
  }
}

PreparedCase prepare(std::int64_t tokens, std::int64_t n, bool add) {
  CaseRandom random(static_cast<std::uint64_t>(tokens * 4099 + n));
  const std::size_t count = static_cast<std::size_t>(tokens * n);
  auto in = std::make_shared<Inputs>();
  in->x = random.normals(count, 2.0f);
  for (float& v : in->x) v += 0.5f;
  in->delta = random.normals(count);
  in->weight = random.normals(static_cast<std::size_t>(n));
  in->bias = random.normals(static_cast<std::size_t>(n));
  PreparedCase c;
  c.out = case_floats(count);
  c.expected = case_floats(count);
  c.bound = case_floats(count);
  const auto vector = [n](std::vector<float>& v) { return make_view(v.data(), DType::kF32, {n}); };
  c.run = [=, out = c.out](Exec& exec) {
    add_layer_norm(exec, rows(in->x, tokens, n), add ? rows(in->delta, tokens, n) : TensorView{},
                   vector(in->weight), vector(in->bias), kEps, rows(*out, tokens, n));
  };
  c.reference = [=, expected = c.expected, bound = c.bound] {
    std::vector<float> sum = in->x;
    for (std::size_t i = 0; add && i < count; ++i) sum[i] += in->delta[i];
    reference::layer_norm(rows(sum, tokens, n), vector(in->weight), vector(in->bias), kEps,
                          rows(*expected, tokens, n));
    fill_bound(*in, sum, n, *expected, *bound);
  };
  c.bytes = 4.0 * static_cast<double>(count) * (add ? 3 : 2);
  c.flops = 8.0 * static_cast<double>(count);
  return c;
}

}  // namespace

std::vector<OpCase> cases_layer_norm() {
  std::vector<OpCase> cases;
  for (bool add : {false, true})
    for (std::int64_t tokens : {1, 5, 66})
      for (std::int64_t n : {2, 17, 64, 384, 401}) {
        OpCase c;
        c.name =
            std::string(add ? "add, " : "") + "tokens=" + std::to_string(tokens) + " n=" + std::to_string(n);
        c.prepare = [=](Exec&) { return prepare(tokens, n, add); };
        c.perf = n == 384;
        c.same_bits_on_all_isas = true;
        cases.push_back(c);
      }
  return cases;
}

}  // namespace consort
