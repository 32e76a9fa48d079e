// Cases of int16_matmul: row counts around the panels, odd inputs and outputs, pieces, the encoders' shapes;
// weights from int8 codes and from floats.
#include <fmt/format.h>

#include "kernels/exec/cases.h"
#include "kernels/int16_matmul/int16_matmul.h"

namespace consort {
namespace {

enum class From : std::uint8_t { kCodes, kCodesScaleEach, kFloats, kBfloats };

struct Shape {
  std::int64_t m, k, n;
  From from = From::kCodes;
  bool bias = false;
};

struct State {
  WeightArena arena;
  Int16Matrix weights;
  std::vector<float> x, bias;
};

DevicePool& case_pool() {
  static const auto pool = DevicePool::create_cpu(std::size_t{1} << 30).value();
  return *pool;
}

Int16Matrix pack_codes(const Shape& s, CaseRandom& random, WeightArena& arena, Exec& exec) {
  std::vector<std::int8_t> codes(static_cast<std::size_t>(s.k * s.n));
  for (auto& c : codes) c = static_cast<std::int8_t>(random.next() % 256);
  std::vector<float> scales(s.from == From::kCodesScaleEach ? static_cast<std::size_t>(s.n) : 1);
  for (float& v : scales) v = random.uniform(0.001f, 0.01f);
  return Int16Matrix::pack_codes(arena, exec, make_view(codes.data(), DType::kI8, {s.k, s.n}), scales)
      .value();
}

// The first output has equal weights, which come nearest to the limit of the 32-bit sums; the second is zero.
Int16Matrix pack_floats(const Shape& s, CaseRandom& random, WeightArena& arena, Exec& exec) {
  std::vector<float> weights = random.normals(static_cast<std::size_t>(s.k * s.n), 0.05f);
  std::fill_n(weights.begin(), s.k, -0.25f);
  if (s.n > 1) std::fill_n(weights.begin() + static_cast<std::ptrdiff_t>(s.k), s.k, 0.0f);
  if (s.from == From::kFloats)
    return Int16Matrix::pack(arena, exec, make_view(weights.data(), DType::kF32, {s.n, s.k})).value();
  std::vector<std::uint16_t> halves(weights.size());
  for (std::size_t i = 0; i < halves.size(); ++i)
    halves[i] = static_cast<std::uint16_t>(__builtin_bit_cast(std::uint32_t, weights[i]) >> 16);
  return Int16Matrix::pack(arena, exec, make_view(halves.data(), DType::kBF16, {s.n, s.k})).value();
}

PreparedCase prepare(const Shape& s, Exec& exec) {
  CaseRandom random(static_cast<std::uint64_t>(s.m * 31 + s.k * 7 + s.n));
  auto state = std::make_shared<State>();
  state->arena = WeightArena::create(case_pool(), {"weights", "int16_matmul case"}).value();
  const bool codes = s.from == From::kCodes || s.from == From::kCodesScaleEach;
  state->weights = (codes ? pack_codes : pack_floats)(s, random, state->arena, exec);
  state->x = random.normals(static_cast<std::size_t>(s.m * s.k));
  for (std::size_t i = 0; i < state->x.size(); i += 97)
    state->x[i] *= 20.0f;  // outliers, as in real activations
  std::fill_n(state->x.begin(), s.k, 3.0f);  // a row of equal values: the largest sums
  if (s.m > 2)                               // a row of zeros
    std::fill_n(state->x.begin() + static_cast<std::ptrdiff_t>(s.k), s.k, 0.0f);
  if (s.bias) state->bias = random.normals(static_cast<std::size_t>(s.n));
  PreparedCase c;
  c.out = case_floats(static_cast<std::size_t>(s.m * s.n));
  c.expected = case_floats(c.out->size());
  c.bound = case_floats(c.out->size());
  const auto x_view = [state, s] { return make_view(state->x.data(), DType::kF32, {s.m, s.k}); };
  c.run = [state, s, x_view, out = c.out](Exec& e) {
    const Int16Job job{&state->weights, make_view(out->data(), DType::kF32, {s.m, s.n}),
                       s.bias ? state->bias.data() : nullptr};
    int16_matmul(e, x_view(), {&job, 1});
  };
  c.reference = [state, s, x_view, expected = c.expected, bound = c.bound] {
    reference::int16_matmul(x_view(), state->weights, s.bias ? state->bias.data() : nullptr, expected->data(),
                            bound->data());
  };
  c.flops = 2.0 * static_cast<double>(s.m * s.k) * static_cast<double>(s.n);
  c.bytes = static_cast<double>(2 * s.k * s.n + 4 * s.m * (s.k + s.n));
  return c;
}

const char* name_of(From from) {
  switch (from) {
    case From::kCodes:
      return "";
    case From::kCodesScaleEach:
      return " scale each";
    case From::kFloats:
      return " f32";
    case From::kBfloats:
      return " bf16";
  }
  return "?";
}

}  // namespace

std::vector<OpCase> cases_int16_matmul() {
  std::vector<OpCase> cases;
  const auto add = [&](Shape s, bool perf = false, bool parity = true) {
    cases.push_back(
        {fmt::format("m={} k={} n={}{}{}", s.m, s.k, s.n, s.bias ? " bias" : "", name_of(s.from)),
         [s](Exec& exec) { return prepare(s, exec); }, perf, parity, true});
  };
  for (std::int64_t m : {1, 2, 3, 4, 5, 6, 7, 12, 13, 97, 200}) add({m, 64, 48, From::kCodesScaleEach, true});
  for (std::int64_t k : {1, 3, 4, 15, 17, 30, 100, 127, 128, 129, 255, 1536}) {
    add({7, k, 33, From::kCodes, true});
    add({7, k, 33, From::kFloats, true});
  }
  for (std::int64_t n : {1, 15, 16, 17, 31, 32, 129}) add({9, 40, n, From::kCodesScaleEach});
  for (std::int64_t n : {1, 8, 17}) add({9, 40, n, From::kBfloats});
  add({40, 384, 384, From::kCodesScaleEach, true}, true);
  add({40, 384, 384, From::kFloats, true});
  for (std::int64_t m : {512}) {
    add({m, 384, 384, From::kCodesScaleEach, true}, true, false);
    add({m, 384, 1536, From::kCodesScaleEach, true}, true, false);
    add({m, 1536, 384, From::kCodesScaleEach, true}, true, false);
  }
  return cases;
}

}  // namespace consort
