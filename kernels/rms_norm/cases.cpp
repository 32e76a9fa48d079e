#include <cmath>

#include "kernels/exec/cases.h"
#include "kernels/rms_norm/rms_norm.h"

namespace consort {
namespace {

constexpr float kUnit = 0x1p-24f;  // unit roundoff of float32
constexpr float kEps = 1e-5f;

struct Inputs {
  std::vector<float> x, delta, weight;
};

TensorView rows(std::vector<float>& values, std::int64_t tokens, std::int64_t n) {
  return make_view(values.data(), DType::kF32, {tokens, n});
}

// With `fused`, out holds the new residual and then the norm.
PreparedCase prepare(std::int64_t tokens, std::int64_t n, bool fused) {
  CaseRandom random(static_cast<std::uint64_t>(tokens * 4099 + n));
  const std::size_t count = static_cast<std::size_t>(tokens * n);
  auto in = std::make_shared<Inputs>();
  in->x = random.normals(count, 3.0f);
  in->delta = random.normals(count);
  in->weight = random.normals(static_cast<std::size_t>(n));
  PreparedCase c;
  c.out = case_floats(fused ? 2 * count : count);
  c.expected = case_floats(c.out->size());
  c.bound = case_floats(c.out->size());
  c.run = [=, out = c.out](Exec& exec) {
    const TensorView weight = make_view(in->weight.data(), DType::kF32, {n});
    if (!fused) return rms_norm(exec, rows(in->x, tokens, n), weight, kEps, rows(*out, tokens, n));
    std::copy(in->x.begin(), in->x.end(), out->begin());
    add_rms_norm(exec, rows(*out, tokens, n), rows(in->delta, tokens, n), weight, kEps,
                 make_view(out->data() + count, DType::kF32, {tokens, n}));
  };
  c.reference = [=, expected = c.expected, bound = c.bound] {
    std::vector<float> sum = in->x;
    for (std::size_t i = 0; fused && i < count; ++i) sum[i] += in->delta[i];
    float* norm = expected->data() + (fused ? count : 0);
    if (fused) std::copy(sum.begin(), sum.end(), expected->begin());
    reference::rms_norm(rows(sum, tokens, n), make_view(in->weight.data(), DType::kF32, {n}), kEps,
                        make_view(norm, DType::kF32, {tokens, n}));
    // The sum of n squares is within n units of itself; its root within half of that.
    const float relative = (static_cast<float>(n) / 2 + 6) * kUnit;
    for (std::size_t i = 0; i < expected->size(); ++i) (*bound)[i] = std::fabs((*expected)[i]) * relative;
  };
  c.bytes = 4.0 * static_cast<double>(count) * (fused ? 4 : 2);
  c.flops = 4.0 * static_cast<double>(count);
  return c;
}

}  // namespace

std::vector<OpCase> cases_rms_norm() {
  std::vector<OpCase> cases;
  for (bool fused : {false, true})
    for (std::int64_t tokens : {1, 3, 70})
      for (std::int64_t n : {1, 15, 64, 97, 576, 640}) {
        OpCase c;
        c.name = std::string(fused ? "add, " : "") + "tokens=" + std::to_string(tokens) +
                 " n=" + std::to_string(n);
        c.prepare = [=](Exec&) { return prepare(tokens, n, fused); };
        c.perf = n == 576;
        c.same_bits_on_all_isas = true;
        cases.push_back(c);
      }
  return cases;
}

}  // namespace consort
