// Cases of matmul for the parity harness: every format, row counts around the kernels' blocks, odd numbers of
// outputs, the shapes of the models at hand; and two whole-model timings.
#include <fmt/format.h>

#include "kernels/exec/cases.h"
#include "kernels/matmul/matmul.h"
#include "kernels/matmul/random_weights.h"
#include "kernels/matmul/reference.h"

namespace consort {
namespace {

constexpr DType kFormats[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                              DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K,
                              DType::kF32,  DType::kF16,  DType::kBF16};

struct Shape {
  DType type;
  std::int64_t m, k, n;
  bool bias = false;
};

struct State {
  WeightArena arena;
  std::vector<PackedMatrix> weights;
  std::vector<float> x, bias;
};

PackedMatrix pack_random(DType type, std::int64_t n, std::int64_t k, CaseRandom& random, State& state,
                         Exec& exec, DevicePool& pool) {
  if (state.weights.empty()) state.arena = WeightArena::create(pool, {"weights", "matmul case"}).value();
  auto bytes = random_weights(type, n, k, random);
  state.weights.push_back(
      PackedMatrix::pack(state.arena, exec, make_view(bytes.data(), type, {n, k})).value());
  return state.weights.back();
}

DevicePool& case_pool() {
  static const auto pool = DevicePool::create_cpu(std::size_t{4} << 30).value();
  return *pool;
}

PreparedCase prepare(const Shape& s, Exec& exec) {
  CaseRandom random(1000003u * static_cast<unsigned>(s.type) +
                    static_cast<unsigned>(s.m * 31 + s.k * 7 + s.n));
  auto state = std::make_shared<State>();
  const PackedMatrix w = pack_random(s.type, s.n, s.k, random, *state, exec, case_pool());
  state->x = random.normals(static_cast<std::size_t>(s.m * s.k));
  for (std::size_t i = 0; i < state->x.size(); i += 97)
    state->x[i] *= 20.0f;  // outliers, as in real activations
  if (s.bias) state->bias = random.normals(static_cast<std::size_t>(s.n));
  PreparedCase c;
  c.out = case_floats(static_cast<std::size_t>(s.m * s.n));
  c.expected = case_floats(c.out->size());
  c.bound = case_floats(c.out->size());
  const auto x_view = [state, s] { return make_view(state->x.data(), DType::kF32, {s.m, s.k}); };
  c.run = [state, s, w, x_view, out = c.out](Exec& e) {
    matmul(e, x_view(), w, make_view(out->data(), DType::kF32, {s.m, s.n}),
           s.bias ? state->bias.data() : nullptr);
  };
  c.reference = [state, s, w, x_view, expected = c.expected, bound = c.bound] {
    matmul_reference(x_view(), w, s.bias ? state->bias.data() : nullptr, expected->data(), bound->data());
  };
  c.bytes = static_cast<double>(w.bytes()) + 4.0 * static_cast<double>(s.m * (s.k + s.n));
  c.flops = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.k) * static_cast<double>(s.n);
  if (dtype_info(s.type).block > 1) c.int8_ops = 2 * c.flops;  // two halves of the activations
  return c;
}

OpCase shape_case(const Shape& s, bool perf, bool parity) {
  OpCase c;
  c.name = fmt::format("{} m={} k={} n={}{}", dtype_name(s.type), s.m, s.k, s.n, s.bias ? " bias" : "");
  c.prepare = [s](Exec& exec) { return prepare(s, exec); };
  c.perf = perf;
  c.parity = parity;
  c.same_bits_on_all_isas = true;
  return c;
}

// All matrix products of one pass of a llama-like model over `m` tokens; the head for one row.
struct ModelShape {
  const char* name;
  int layers;
  std::int64_t width, q, kv, ffn, vocabulary;
  DType type, head;
};

PreparedCase prepare_model(const ModelShape& s, std::int64_t m, Exec& exec) {
  CaseRandom random(7);
  auto state = std::make_shared<State>();
  double bytes = 0, flops = 0;
  const auto add = [&](std::int64_t n, std::int64_t k, DType type, std::int64_t rows) {
    bytes += static_cast<double>(pack_random(type, n, k, random, *state, exec, case_pool()).bytes());
    flops += 2.0 * static_cast<double>(rows) * static_cast<double>(n) * static_cast<double>(k);
  };
  for (int l = 0; l < s.layers; ++l) {
    for (std::int64_t n : {s.q, s.kv, s.kv}) add(n, s.width, s.type, m);
    add(s.width, s.q, s.type, m);
    for (std::int64_t n : {s.ffn, s.ffn}) add(n, s.width, s.type, m);
    add(s.width, s.ffn, s.type, m);
  }
  add(s.vocabulary, s.width, s.head, 1);
  state->x = random.normals(static_cast<std::size_t>(m * std::max({s.width, s.q, s.ffn})));
  PreparedCase c;
  c.out = case_floats(static_cast<std::size_t>(std::max(m * (s.q + 2 * s.kv + 2 * s.ffn), s.vocabulary)));
  c.bytes = bytes;
  c.flops = flops;
  c.int8_ops = 2 * flops;
  c.run = [state, s, m, out = c.out](Exec& e) {
    float* to = out->data();
    const auto x = [&](std::int64_t k, std::int64_t rows) {
      return make_view(state->x.data(), DType::kF32, {rows, k});
    };
    const auto y = [&](std::int64_t n, std::int64_t at, std::int64_t rows) {
      return make_view(to + rows * at, DType::kF32, {rows, n});
    };
    const PackedMatrix* w = state->weights.data();
    for (int l = 0; l < s.layers; ++l, w += 7) {
      const MatmulJob qkv[] = {{w, y(s.q, 0, m)}, {w + 1, y(s.kv, s.q, m)}, {w + 2, y(s.kv, s.q + s.kv, m)}};
      matmul(e, x(s.width, m), qkv);
      matmul(e, x(s.q, m), w[3], y(s.width, 0, m));
      const MatmulJob up[] = {{w + 4, y(s.ffn, 0, m)}, {w + 5, y(s.ffn, s.ffn, m)}};
      matmul(e, x(s.width, m), up);
      matmul(e, x(s.ffn, m), w[6], y(s.width, 0, m));
    }
    matmul(e, x(s.width, 1), *w, y(s.vocabulary, 0, 1));
  };
  return c;
}

OpCase model_case(const ModelShape& s, std::int64_t m) {
  OpCase c;
  c.name = fmt::format("{} all products, {} token{}", s.name, m, m == 1 ? "" : "s");
  c.prepare = [s, m](Exec& exec) { return prepare_model(s, m, exec); };
  c.perf = true;
  c.parity = false;
  return c;
}

}  // namespace

std::vector<OpCase> cases_matmul() {
  std::vector<OpCase> cases;
  for (DType type : kFormats) {
    const std::int64_t k = dtype_info(type).block == 256 ? 512 : 576;
    for (std::int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 33})
      cases.push_back(shape_case({type, m, k, 80}, false, true));
    for (std::int64_t n : {1, 15, 16, 17, 47, 70})
      cases.push_back(shape_case({type, 3, k, n, true}, false, true));
    const std::int64_t one =
        dtype_info(type).block == 1 ? 1 : static_cast<std::int64_t>(dtype_info(type).block);
    cases.push_back(shape_case({type, 1, one, 33, true}, false, true));
    const std::int64_t wide = dtype_info(type).block == 256 ? 2048 : 1536;
    cases.push_back(shape_case({type, 1, wide, 4096}, true, false));
    cases.push_back(shape_case({type, 8, wide, 576}, true, false));
    cases.push_back(shape_case({type, 128, wide, 576}, true, false));
  }
  for (std::int64_t k : {7, 33, 385}) cases.push_back(shape_case({DType::kF32, 9, k, 50, true}, false, true));
  cases.push_back(shape_case({DType::kF32, 128, 384, 1536, true}, true, false));
  cases.push_back(shape_case({DType::kF32, 128, 1536, 384, true}, true, false));
  const ModelShape smollm{"smollm2-135m", 30, 576, 576, 192, 1536, 49152, DType::kQ4_1, DType::kQ8_0};
  for (std::int64_t m : {1, 2, 4, 8, 512}) cases.push_back(model_case(smollm, m));
  const ModelShape gemma{"gemma-3-270m", 18, 640, 1024, 256, 2048, 262144, DType::kQ5_0, DType::kQ8_0};
  for (std::int64_t m : {1, 512}) cases.push_back(model_case(gemma, m));
  return cases;
}

}  // namespace consort
