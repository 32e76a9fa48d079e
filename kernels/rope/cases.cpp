#include <cmath>

#include "kernels/exec/cases.h"
#include "kernels/rope/rope.h"

namespace consort {
namespace {

constexpr float kUnit = 0x1p-24f;  // unit roundoff of float32

struct Shape {
  std::int64_t tokens, heads, dim;
  int turned;  // dims <= dim
  RopeStyle style;
  int first_position;
};

struct Inputs {
  std::vector<float> x;
  std::vector<std::int32_t> positions;
  std::vector<double> frequencies;
};

// The angles are made inside the run: they are half of the op.
PreparedCase prepare(const Shape& s) {
  CaseRandom random(static_cast<std::uint64_t>(s.tokens * 4099 + s.heads * 257 + s.dim));
  auto in = std::make_shared<Inputs>();
  in->x = random.normals(static_cast<std::size_t>(s.tokens * s.heads * s.dim));
  for (std::int64_t t = 0; t < s.tokens; ++t)
    in->positions.push_back(s.first_position + static_cast<std::int32_t>(t * (t % 3 == 2 ? 5 : 1)));
  in->frequencies = rope_frequencies(s.turned, 100000.0);
  PreparedCase c;
  c.out = case_floats(in->x.size());
  c.expected = case_floats(in->x.size());
  c.bound = case_floats(in->x.size());
  const auto view = [s](std::vector<float>& v) {
    return make_view(v.data(), DType::kF32, {s.tokens, s.heads, s.dim});
  };
  c.run = [=, out = c.out](Exec& exec) {
    *out = in->x;
    ScratchArena::Mark mark(exec.scratch);
    const TensorView cos = exec.scratch.tensor(DType::kF32, {s.tokens, s.turned});
    const TensorView sin = exec.scratch.tensor(DType::kF32, {s.tokens, s.turned});
    rope_angles(exec, in->positions, in->frequencies, s.style, cos, sin);
    rope(exec, view(*out), cos, sin, s.style);
  };
  c.reference = [=, expected = c.expected, bound = c.bound] {
    *expected = in->x;
    reference::rope(view(*expected), in->positions, in->frequencies, s.style);
    // Rounding of cosine and sine, two products and their sum; both elements are at most the pair's length,
    // which the head's largest element bounds.
    for (std::size_t head = 0; head < in->x.size(); head += static_cast<std::size_t>(s.dim)) {
      float largest = 0;
      for (std::int64_t d = 0; d < s.dim; ++d) largest = std::max(largest, std::fabs(in->x[head + d]));
      for (std::int64_t d = 0; d < s.dim; ++d)
        (*bound)[head + d] = d < s.turned ? 6 * kUnit * largest : 0.0f;  // elements behind stay as they are
    }
  };
  c.bytes = 8.0 * static_cast<double>(in->x.size());
  c.flops = 3.0 * static_cast<double>(in->x.size());
  return c;
}

}  // namespace

std::vector<OpCase> cases_rope() {
  const Shape shapes[] = {
      {1, 9, 64, 64, RopeStyle::kInterleaved, 8191}, {33, 3, 64, 64, RopeStyle::kInterleaved, 0},
      {1, 4, 256, 256, RopeStyle::kHalves, 32767},   {21, 1, 256, 256, RopeStyle::kHalves, 5},
      {7, 2, 64, 32, RopeStyle::kHalves, 100},       {7, 2, 64, 32, RopeStyle::kInterleaved, 100},
      {5, 3, 24, 12, RopeStyle::kHalves, 1},         {512, 9, 64, 64, RopeStyle::kInterleaved, 0}};
  std::vector<OpCase> cases;
  for (const Shape& s : shapes) {
    OpCase c;
    c.name = std::string(s.style == RopeStyle::kHalves ? "halves" : "interleaved") +
             " tokens=" + std::to_string(s.tokens) + " heads=" + std::to_string(s.heads) +
             " dim=" + std::to_string(s.dim) + " turned=" + std::to_string(s.turned);
    c.prepare = [s](Exec&) { return prepare(s); };
    c.perf = s.tokens == 512;
    c.same_bits_on_all_isas = true;
    cases.push_back(c);
  }
  return cases;
}

}  // namespace consort
