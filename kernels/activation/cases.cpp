#include <cmath>

#include "kernels/activation/activation.h"
#include "kernels/exec/cases.h"

namespace consort {
namespace {

constexpr float kUnit = 0x1p-24f;     // unit roundoff of float32
constexpr float kExpError = 4e-7f;    // relative, of the vector exponential and the divisions after it
constexpr float kErfError = 1.5e-7f;  // Abramowitz and Stegun 7.1.26, absolute

struct Inputs {
  std::vector<float> a, b;
};

// Spread from tiny to saturated, with the values where an exponential could overflow.
std::vector<float> spread(CaseRandom& random, std::size_t n) {
  std::vector<float> values = random.normals(n, 4.0f);
  const float edges[] = {0.0f, -0.0f, 1e-30f, -1e-30f, 60.0f, -60.0f, 100.0f, -100.0f, 1e4f, -1e4f};
  for (std::size_t i = 0; i < n; i += 7) values[i] = edges[i / 7 % std::size(edges)];
  return values;
}

TensorView rows(std::vector<float>& values, std::int64_t tokens, std::int64_t n) {
  return make_view(values.data(), DType::kF32, {tokens, n});
}

PreparedCase prepare_gate(GateKind kind, std::int64_t tokens, std::int64_t n) {
  CaseRandom random(static_cast<std::uint64_t>(tokens * 4099 + n));
  const std::size_t count = static_cast<std::size_t>(tokens * n);
  auto in = std::make_shared<Inputs>();
  in->a = spread(random, count);
  in->b = random.normals(count);
  PreparedCase c;
  c.out = case_floats(count);
  c.expected = case_floats(count);
  c.bound = case_floats(count);
  c.run = [=, out = c.out](Exec& exec) {
    gated_activation(exec, kind, rows(in->a, tokens, n), rows(in->b, tokens, n), rows(*out, tokens, n));
  };
  c.reference = [=, expected = c.expected, bound = c.bound] {
    reference::gated_activation(kind, rows(in->a, tokens, n), rows(in->b, tokens, n),
                                rows(*expected, tokens, n));
    // An error of the exponent's argument u is u units, and moves the result by as much again.
    for (std::size_t i = 0; i < count; ++i) {
      const float x = std::fabs(in->a[i]), argument = kind == GateKind::kSilu ? x : x + 0.05f * x * x * x;
      const float relative = kExpError + 8 * kUnit + std::min(argument, 90.0f) * 4 * kUnit;
      (*bound)[i] = std::fabs((*expected)[i]) * relative + x * std::fabs(in->b[i]) * 1e-9f + 1e-37f;
    }
  };
  c.bytes = 12.0 * static_cast<double>(count);
  c.flops = 20.0 * static_cast<double>(count);
  return c;
}

PreparedCase prepare_gelu(std::int64_t tokens, std::int64_t n, bool biased) {
  CaseRandom random(static_cast<std::uint64_t>(tokens * 4099 + n));
  const std::size_t count = static_cast<std::size_t>(tokens * n);
  auto in = std::make_shared<Inputs>();
  in->a = spread(random, count);
  in->b = random.normals(static_cast<std::size_t>(n));
  PreparedCase c;
  c.out = case_floats(count);
  c.expected = case_floats(count);
  c.bound = case_floats(count);
  const auto bias = [=] { return biased ? make_view(in->b.data(), DType::kF32, {n}) : TensorView{}; };
  c.run = [=, out = c.out](Exec& exec) {
    *out = in->a;
    gelu_erf(exec, rows(*out, tokens, n), bias());
  };
  c.reference = [=, expected = c.expected, bound = c.bound] {
    *expected = in->a;
    reference::gelu_erf(rows(*expected, tokens, n), bias());
    for (std::size_t i = 0; i < count; ++i) {
      const float x =
          std::fabs(in->a[i]) + (biased ? std::fabs(in->b[i % static_cast<std::size_t>(n)]) : 0.0f);
      (*bound)[i] = x * (kErfError + 8 * kUnit) + 1e-37f;
    }
  };
  c.bytes = 8.0 * static_cast<double>(count);
  c.flops = 24.0 * static_cast<double>(count);
  return c;
}

}  // namespace

std::vector<OpCase> cases_activation() {
  std::vector<OpCase> cases;
  const auto push = [&](std::string name, std::int64_t tokens, std::int64_t n, auto prepare) {
    OpCase c;
    c.name = name + " tokens=" + std::to_string(tokens) + " n=" + std::to_string(n);
    c.prepare = [=](Exec&) { return prepare(tokens, n); };
    c.perf = n == 1536;
    c.same_bits_on_all_isas = true;
    cases.push_back(c);
  };
  for (std::int64_t tokens : {1, 5, 64})
    for (std::int64_t n : {1, 16, 77, 1536}) {
      push("silu", tokens, n, [](auto t, auto m) { return prepare_gate(GateKind::kSilu, t, m); });
      push("gelu tanh", tokens, n, [](auto t, auto m) { return prepare_gate(GateKind::kGeluTanh, t, m); });
      push("gelu erf", tokens, n, [](auto t, auto m) { return prepare_gelu(t, m, false); });
      push("gelu erf bias", tokens, n, [](auto t, auto m) { return prepare_gelu(t, m, true); });
    }
  return cases;
}

}  // namespace consort
