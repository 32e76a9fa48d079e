// Paged attention over sequences that share a step, with windows and groups of heads, and attention within
// texts.
#include <algorithm>
#include <cmath>

#include "kernels/attention/attention.h"
#include "kernels/exec/cases.h"

namespace consort {
namespace {

constexpr double kUnit = 0x1p-24;   // unit roundoff of float32
constexpr double kExpError = 4e-7;  // relative, of the vector exponential

struct Sequence {
  int start, rows;  // this step's rows stand at [start, start + rows)
};

struct Shape {
  std::vector<Sequence> sequences;
  std::int64_t heads, kv_heads, dim;
  int window = 0;
};

// Rounded to a grid that half precision holds exactly, so that pages lose nothing.
std::vector<float> halves(CaseRandom& random, std::int64_t n) {
  std::vector<float> values = random.normals(static_cast<std::size_t>(n));
  for (float& v : values) v = std::nearbyint(v * 256.0f) / 256.0f;
  return values;
}

struct State {
  std::vector<float> q;
  std::vector<std::vector<float>> k, v;  // whole sequences, [keys, kv_heads, dim]
  std::vector<std::vector<std::uint16_t>> pages;
  std::vector<std::vector<std::byte*>> tables;
};

TensorView rows3(const float* data, std::int64_t tokens, std::int64_t heads, std::int64_t dim) {
  return make_view(const_cast<float*>(data), DType::kF32, {tokens, heads, dim});
}

// An error of the scores (dim roundings of |q||k|) moves a weight by as much, relatively; so do the
// exponential and the sum over `keys`. An output is a weighted mean of values of at most `largest`.
float bound_of(const float* q, const std::vector<float>& k, const std::vector<float>& v, std::int64_t dim,
               double scale, std::int64_t keys) {
  double query = 0, key = 0, largest = 0;
  for (std::int64_t d = 0; d < dim; ++d) query += double{q[d]} * q[d];
  for (std::size_t first = 0; first < k.size(); first += static_cast<std::size_t>(dim)) {
    double square = 0;
    for (std::int64_t d = 0; d < dim; ++d) square += double{k[first + d]} * k[first + d];
    key = std::max(key, square);
  }
  for (float x : v) largest = std::max(largest, std::fabs(double{x}));
  const double scores = (static_cast<double>(dim) + 4) * kUnit * scale * std::sqrt(query * key);
  return static_cast<float>(2 * largest * (scores + kExpError + static_cast<double>(keys + 8) * kUnit));
}

std::vector<AttentionSlice> make_slices(const Shape& s, State& state, const KvLayout& layout) {
  std::vector<AttentionSlice> slices;
  for (std::size_t i = 0; i < s.sequences.size(); ++i) {
    const int keys = s.sequences[i].start + s.sequences[i].rows;
    state.tables.emplace_back();
    for (int first = 0; first < keys; first += kPageTokens) {
      state.pages.emplace_back(layout.page_elements(), 0x7e00);  // NaN: a key nobody wrote must not count
      state.tables.back().push_back(reinterpret_cast<std::byte*>(state.pages.back().data()));
    }
    slices.push_back({{state.tables.back().data(), layout}, s.sequences[i].start, s.sequences[i].rows});
  }
  return slices;
}

// Writes what came before this step, sequence by sequence, as a prompt would have.
void write_history(Exec& exec, const Shape& s, State& state, std::vector<AttentionSlice> slices, int layer) {
  for (std::size_t i = 0; i < slices.size(); ++i) {
    AttentionSlice all = slices[i];
    all.rows += all.start;
    all.start = 0;
    write_kv(exec, std::span(&all, 1), layer, rows3(state.k[i].data(), all.rows, s.kv_heads, s.dim),
             rows3(state.v[i].data(), all.rows, s.kv_heads, s.dim));
  }
}

PreparedCase prepare_paged(const Shape& s, Exec& exec) {
  CaseRandom random(static_cast<std::uint64_t>(s.heads * 4099 + s.dim + s.window));
  auto state = std::make_shared<State>();
  const int layer = 1;
  const KvLayout layout{2, static_cast<int>(s.kv_heads), static_cast<int>(s.dim), DType::kF16};
  std::int64_t tokens = 0;
  double keys_read = 0;
  for (const Sequence& q : s.sequences) {
    const std::int64_t keys = q.start + q.rows;
    state->k.push_back(halves(random, keys * s.kv_heads * s.dim));
    state->v.push_back(halves(random, keys * s.kv_heads * s.dim));
    tokens += q.rows;
    const double seen = q.start + 0.5 * q.rows + 0.5;
    keys_read += q.rows * (s.window > 0 ? std::min<double>(seen, s.window) : seen);
  }
  state->q = random.normals(static_cast<std::size_t>(tokens * s.heads * s.dim));
  const auto slices = make_slices(s, *state, layout);
  write_history(exec, s, *state, slices, layer);
  const float scale = 1.0f / std::sqrt(static_cast<float>(s.dim));
  PreparedCase c;
  c.out = case_floats(state->q.size());
  c.expected = case_floats(state->q.size());
  c.bound = case_floats(state->q.size());
  c.run = [=, out = c.out](Exec& e) {
    paged_attention(e, slices, {layer, scale, s.window}, rows3(state->q.data(), tokens, s.heads, s.dim),
                    make_view(out->data(), DType::kF32, {tokens, s.heads * s.dim}));
  };
  c.reference = [=, expected = c.expected, bound = c.bound] {
    std::size_t at = 0;
    for (std::size_t i = 0; i < s.sequences.size(); ++i) {
      const auto [start, rows] = s.sequences[i];
      const std::int64_t keys = start + rows;
      reference::attention(rows3(state->q.data() + at, rows, s.heads, s.dim),
                           rows3(state->k[i].data(), keys, s.kv_heads, s.dim),
                           rows3(state->v[i].data(), keys, s.kv_heads, s.dim), start, scale, s.window, true,
                           make_view(expected->data() + at, DType::kF32, {rows, s.heads * s.dim}));
      for (std::int64_t h = 0; h < rows * s.heads; ++h, at += static_cast<std::size_t>(s.dim))
        std::fill_n(bound->begin() + static_cast<std::ptrdiff_t>(at), s.dim,
                    bound_of(state->q.data() + at, state->k[i], state->v[i], s.dim, scale, keys));
    }
  };
  c.flops = 4.0 * keys_read * static_cast<double>(s.heads * s.dim);
  c.bytes = 4.0 * keys_read * static_cast<double>(s.kv_heads * s.dim);  // keys and values of 2 bytes
  return c;
}

PreparedCase prepare_texts(std::vector<int> lengths, std::int64_t heads, std::int64_t dim) {
  CaseRandom random(static_cast<std::uint64_t>(heads * 4099 + dim));
  std::int64_t tokens = 0;
  double pairs = 0;
  for (int n : lengths) tokens += n, pairs += double{1} * n * n;
  auto state = std::make_shared<State>();
  const std::int64_t count = tokens * heads * dim;
  state->q = random.normals(static_cast<std::size_t>(count));
  state->k.push_back(random.normals(static_cast<std::size_t>(count)));
  state->v.push_back(random.normals(static_cast<std::size_t>(count)));
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  PreparedCase c;
  c.out = case_floats(state->q.size());
  c.expected = case_floats(state->q.size());
  c.bound = case_floats(state->q.size());
  c.run = [=, out = c.out](Exec& e) {
    text_attention(e, lengths, scale, rows3(state->q.data(), tokens, heads, dim),
                   rows3(state->k[0].data(), tokens, heads, dim),
                   rows3(state->v[0].data(), tokens, heads, dim),
                   make_view(out->data(), DType::kF32, {tokens, heads * dim}));
  };
  c.reference = [=, expected = c.expected, bound = c.bound] {
    std::size_t at = 0;
    for (int n : lengths) {
      const std::size_t first = at;
      reference::attention(rows3(state->q.data() + at, n, heads, dim),
                           rows3(state->k[0].data() + at, n, heads, dim),
                           rows3(state->v[0].data() + at, n, heads, dim), 0, scale, 0, false,
                           make_view(expected->data() + at, DType::kF32, {n, heads * dim}));
      const auto size = static_cast<std::ptrdiff_t>(n * heads * dim),
                 from = static_cast<std::ptrdiff_t>(first);
      const std::vector<float> k(state->k[0].begin() + from, state->k[0].begin() + from + size);
      const std::vector<float> v(state->v[0].begin() + from, state->v[0].begin() + from + size);
      for (std::int64_t h = 0; h < n * heads; ++h, at += static_cast<std::size_t>(dim))
        std::fill_n(bound->begin() + static_cast<std::ptrdiff_t>(at), dim,
                    bound_of(state->q.data() + at, k, v, dim, scale, n));
    }
  };
  c.flops = 4.0 * pairs * static_cast<double>(heads * dim);
  c.bytes = 16.0 * static_cast<double>(count);
  return c;
}

}  // namespace

std::vector<OpCase> cases_attention() {
  std::vector<OpCase> cases;
  const auto paged = [&](std::string name, Shape shape, bool perf = false, bool parity = true) {
    cases.push_back({name, [shape](Exec& e) { return prepare_paged(shape, e); }, perf, parity, true});
  };
  paged("first token", {{{0, 1}}, 9, 3, 64});
  paged("decode at 31, 32 and 33", {{{31, 1}, {32, 1}, {33, 1}}, 9, 3, 64});
  paged("prompt of 70", {{{0, 70}}, 9, 3, 64});
  paged("prompt in the middle", {{{45, 50}}, 9, 3, 64});
  paged("prompt beside decoding", {{{0, 37}, {200, 1}, {5, 3}}, 4, 1, 256});
  paged("one head a group", {{{10, 20}}, 3, 3, 32});
  paged("narrow head", {{{0, 40}, {63, 2}}, 4, 2, 16});
  paged("window 8", {{{0, 50}, {100, 1}}, 4, 1, 256, 8});
  paged("window 33 over pages", {{{60, 40}}, 4, 2, 64, 33});
  paged("window 1", {{{40, 5}}, 2, 1, 64, 1});
  paged("smollm2 decode at 1000", {{{1000, 1}}, 9, 3, 64}, true);
  paged("smollm2 decode of 4 at 500", {{{500, 1}, {501, 1}, {502, 1}, {503, 1}}, 9, 3, 64}, true);
  paged("smollm2 prompt of 512", {{{0, 512}}, 9, 3, 64}, true, false);
  paged("gemma window 512 at 2000", {{{2000, 1}}, 4, 1, 256, 512}, true, false);
  const auto texts = [&](std::string name, std::vector<int> lengths, std::int64_t heads, std::int64_t dim,
                         bool perf) {
    cases.push_back({name, [=](Exec&) { return prepare_texts(lengths, heads, dim); }, perf, true, true});
  };
  texts("text of 1", {1}, 12, 32, false);
  texts("texts of many lengths", {7, 1, 32, 33, 64, 3}, 12, 32, false);
  texts("minilm 4 texts of 128", {128, 128, 128, 128}, 12, 32, true);
  return cases;
}

}  // namespace consort
