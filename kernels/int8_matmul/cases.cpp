// Cases of int8_matmul: row counts around the panel, odd inputs and outputs, the encoders' shapes.
#include <fmt/format.h>

#include "kernels/exec/cases.h"
#include "kernels/int8_matmul/int8_matmul.h"

namespace consort {
namespace {

struct Shape {
  std::int64_t m, k, n;
  bool bias = false, per_channel = false;
};

struct State {
  WeightArena arena;
  Int8Matrix weights;
  std::vector<float> x, bias;
};

DevicePool& case_pool() {
  static const auto pool = DevicePool::create_cpu(std::size_t{1} << 30).value();
  return *pool;
}

PreparedCase prepare(const Shape& s, Exec& exec) {
  CaseRandom random(static_cast<std::uint64_t>(s.m * 31 + s.k * 7 + s.n));
  auto state = std::make_shared<State>();
  state->arena = WeightArena::create(case_pool(), {"weights", "int8_matmul case"}).value();
  std::vector<std::int8_t> codes(static_cast<std::size_t>(s.k * s.n));
  for (auto& c : codes) c = static_cast<std::int8_t>(random.next() % 256);
  std::vector<float> scales(s.per_channel ? static_cast<std::size_t>(s.n) : 1);
  for (float& v : scales) v = random.uniform(0.001f, 0.01f);
  state->weights =
      Int8Matrix::pack(state->arena, exec, make_view(codes.data(), DType::kI8, {s.k, s.n}), scales).value();
  state->x = random.normals(static_cast<std::size_t>(s.m * s.k));
  for (std::size_t i = 0; i < state->x.size(); i += 97)
    state->x[i] *= 20.0f;  // outliers, as in real activations
  if (s.m > 2)             // a row of zeros
    std::fill_n(state->x.begin() + static_cast<std::ptrdiff_t>(s.k), s.k, 0.0f);
  if (s.bias) state->bias = random.normals(static_cast<std::size_t>(s.n));
  PreparedCase c;
  c.out = case_floats(static_cast<std::size_t>(s.m * s.n));
  c.expected = case_floats(c.out->size());
  c.bound = case_floats(c.out->size());
  const auto x_view = [state, s] { return make_view(state->x.data(), DType::kF32, {s.m, s.k}); };
  c.run = [state, s, x_view, out = c.out](Exec& e) {
    const Int8Job job{&state->weights, make_view(out->data(), DType::kF32, {s.m, s.n}),
                      s.bias ? state->bias.data() : nullptr};
    int8_matmul(e, x_view(), {&job, 1});
  };
  c.reference = [state, s, x_view, expected = c.expected, bound = c.bound] {
    reference::int8_matmul(x_view(), state->weights, s.bias ? state->bias.data() : nullptr, expected->data(),
                           bound->data());
  };
  c.flops = 2.0 * static_cast<double>(s.m * s.k) * static_cast<double>(s.n);
  c.bytes = static_cast<double>(s.k * s.n + 4 * s.m * (s.k + s.n));
  return c;
}

}  // namespace

std::vector<OpCase> cases_int8_matmul() {
  std::vector<OpCase> cases;
  const auto add = [&](Shape s, bool perf = false, bool parity = true) {
    cases.push_back({fmt::format("m={} k={} n={}{}{}", s.m, s.k, s.n, s.bias ? " bias" : "",
                                 s.per_channel ? " scale each" : ""),
                     [s](Exec& exec) { return prepare(s, exec); }, perf, parity, true});
  };
  for (std::int64_t m : {1, 2, 3, 5, 6, 7, 13, 200}) add({m, 64, 48, true, true});
  for (std::int64_t k : {1, 3, 4, 15, 17, 30, 100, 1536}) add({7, k, 33, true, false});
  for (std::int64_t n : {1, 15, 16, 17, 31, 32, 129}) add({9, 40, n, false, true});
  add({40, 384, 384, true, true}, true);
  for (std::int64_t m : {512}) {
    add({m, 384, 384, true, true}, true, false);
    add({m, 384, 1536, true, true}, true, false);
    add({m, 1536, 384, true, true}, true, false);
  }
  return cases;
}

}  // namespace consort
