#include <cmath>

#include "kernels/add/add.h"
#include "kernels/exec/cases.h"

namespace consort {
namespace {

struct Inputs {
  std::vector<float> x, y;
};

TensorView rows(std::vector<float>& values, std::int64_t tokens, std::int64_t n) {
  return make_view(values.data(), DType::kF32, {tokens, n});
}

// One rounding each, so the result is exact: the bound is 0.
PreparedCase prepare(std::int64_t tokens, std::int64_t n, bool one_row, bool scaled) {
  CaseRandom random(static_cast<std::uint64_t>(tokens * 4099 + n));
  const std::size_t count = static_cast<std::size_t>(tokens * n);
  auto in = std::make_shared<Inputs>();
  in->x = random.normals(count);
  in->y = random.normals(one_row ? static_cast<std::size_t>(n) : count);
  const float factor = 0.3f;
  PreparedCase c;
  c.out = case_floats(count);
  c.expected = case_floats(count);
  c.bound = case_floats(1);
  const auto other = [=] { return rows(in->y, one_row ? 1 : tokens, n); };
  c.run = [=, out = c.out](Exec& exec) {
    *out = in->x;
    scaled ? scale(exec, rows(*out, tokens, n), factor) : add(exec, rows(*out, tokens, n), other());
  };
  c.reference = [=, expected = c.expected] {
    *expected = in->x;
    if (!scaled) return reference::add(rows(*expected, tokens, n), other());
    for (float& v : *expected) v *= factor;
  };
  c.bytes = (scaled ? 8.0 : 12.0) * static_cast<double>(count);
  c.flops = static_cast<double>(count);
  return c;
}

}  // namespace

std::vector<OpCase> cases_add() {
  std::vector<OpCase> cases;
  const char* names[] = {"rows", "one row", "scale"};
  for (int kind = 0; kind < 3; ++kind)
    for (std::int64_t tokens : {1, 6, 80})
      for (std::int64_t n : {1, 31, 576}) {
        OpCase c;
        c.name = std::string(names[kind]) + " tokens=" + std::to_string(tokens) + " n=" + std::to_string(n);
        c.prepare = [=](Exec&) { return prepare(tokens, n, kind == 1, kind == 2); };
        c.perf = n == 576 && tokens == 80;
        c.same_bits_on_all_isas = true;
        cases.push_back(c);
      }
  return cases;
}

}  // namespace consort
