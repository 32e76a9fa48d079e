// Paged attention against plain rows: whole prompts, continued sequences, decode steps, windows, several
// sequences in one step; and attention within texts.
#include <fmt/format.h>

#include <cstring>

#include "kernels/attention/attention.h"
#include "kernels/lanes/cases.h"
#include "kernels/lanes/lanes.h"

namespace consort {
namespace {

struct Shape {
  int heads, kv_heads, dim;
};
struct Sequence {
  int start, rows;
};

struct PagedState {
  Shape shape;
  std::vector<Sequence> sequences;
  int window;
  std::vector<CaseFloats> k, v;  // of each sequence, [start + rows, kv_heads, dim], rounded to half precision
  CaseFloats q;                  // [rows of all, heads, dim]
  std::vector<std::vector<std::uint16_t>> bytes;
  std::vector<std::vector<std::byte*>> pages;
  std::int64_t rows = 0;
};

KvLayout layout_of(const Shape& s) {
  return {2, s.kv_heads, s.dim, DType::kF16};
}

// Half precision is the cache's doing, not an error of the op, so the inputs have it already.
CaseFloats rounded(CaseRandom& random, std::size_t n) {
  auto values = case_normals(random, n);
  for (float& x : *values) x = scalar::half_to_float(scalar::float_to_half(x));
  return values;
}

TensorView rows_from(const CaseFloats& data, std::int64_t first, std::int64_t rows, int heads, int dim) {
  return make_view(data->data() + first * heads * dim, DType::kF32, {rows, heads, dim});
}

std::shared_ptr<PagedState> make_state(const Shape& shape, std::vector<Sequence> sequences, int window) {
  auto state = std::make_shared<PagedState>();
  state->shape = shape;
  state->window = window;
  CaseRandom random(static_cast<std::uint64_t>(shape.heads * 1061 + shape.dim * 7 + window));
  const KvLayout layout = layout_of(shape);
  for (const Sequence& s : sequences) {
    const int keys = s.start + s.rows, pages = (keys + kPageTokens - 1) / kPageTokens;
    const std::size_t n = static_cast<std::size_t>(keys * shape.kv_heads * shape.dim);
    state->k.push_back(rounded(random, n));
    state->v.push_back(rounded(random, n));
    // Never written slots hold NaN: reading one would show.
    state->bytes.emplace_back(layout.page_elements() * static_cast<std::size_t>(pages),
                              std::uint16_t{0x7e00});
    auto& pointers = state->pages.emplace_back();
    for (int p = 0; p < pages; ++p)
      pointers.push_back(reinterpret_cast<std::byte*>(state->bytes.back().data() +
                                                      layout.page_elements() * static_cast<std::size_t>(p)));
    state->rows += s.rows;
  }
  state->sequences = std::move(sequences);
  state->q = case_normals(random, static_cast<std::size_t>(state->rows * shape.heads * shape.dim));
  return state;
}

// Earlier keys are written as a step of their own, as an engine would.
void run_paged(Exec& exec, PagedState& s, const CaseFloats& out) {
  const KvLayout layout = layout_of(s.shape);
  const int kv = s.shape.kv_heads, dim = s.shape.dim;
  std::vector<AttentionSlice> slices;
  for (std::size_t i = 0; i < s.sequences.size(); ++i) {
    const auto [start, rows] = s.sequences[i];
    const KvView view{s.pages[i].data(), layout};
    const AttentionSlice all{view, 0, start + rows};
    write_kv(exec, {&all, 1}, 1, rows_from(s.k[i], 0, start + rows, kv, dim),
             rows_from(s.v[i], 0, start + rows, kv, dim));
    slices.push_back({view, start, rows});
  }
  paged_attention(exec, slices, {1, 0.2f, s.window}, rows_from(s.q, 0, s.rows, s.shape.heads, dim),
                  case_view(out, {s.rows, s.shape.heads * dim}));
}

void reference_paged(const PagedState& s, const CaseFloats& out) {
  std::int64_t row = 0;
  const int width = s.shape.heads * s.shape.dim;
  for (std::size_t i = 0; i < s.sequences.size(); ++i) {
    const auto [start, rows] = s.sequences[i];
    reference::attention(rows_from(s.q, row, rows, s.shape.heads, s.shape.dim),
                         rows_from(s.k[i], 0, start + rows, s.shape.kv_heads, s.shape.dim),
                         rows_from(s.v[i], 0, start + rows, s.shape.kv_heads, s.shape.dim), start, 0.2f,
                         s.window, true, make_view(out->data() + row * width, DType::kF32, {rows, width}));
    row += rows;
  }
}

OpCase paged_case(const char* what, Shape shape, std::vector<Sequence> sequences, int window,
                  bool perf = false) {
  const std::string name =
      fmt::format("{} h={}/{} d={} w={}", what, shape.heads, shape.kv_heads, shape.dim, window);
  return op_case(
      name,
      [=](Exec&) {
        const auto state = make_state(shape, sequences, window);
        // Weights sum to 1 and values are near 1: scores are off by dim roundings of their size (about 3),
        // which the exponential passes on as a relative error.
        PreparedCase c = rows_case(
            static_cast<std::size_t>(state->rows * shape.heads * shape.dim),
            4.0f * static_cast<float>(shape.dim), 1.0f,
            [=](Exec& exec, const CaseFloats& out) { run_paged(exec, *state, out); },
            [=](const CaseFloats& out) { reference_paged(*state, out); });
        for (const Sequence& s : sequences)
          c.flops += 4.0 * shape.heads * shape.dim * s.rows * (s.start + s.rows / 2.0);
        return c;
      },
      perf);
}

OpCase text_case(std::vector<int> lengths, int heads, int dim, bool causal = false, bool perf = false) {
  return op_case(
      fmt::format("{}texts {} h={} d={}", causal ? "causal " : "", fmt::join(lengths, "+"), heads, dim),
      [=](Exec&) {
        std::int64_t tokens = 0;
        for (int n : lengths) tokens += n;
        CaseRandom random(static_cast<std::uint64_t>(tokens * 1063 + dim));
        const std::size_t size = static_cast<std::size_t>(tokens * heads * dim);
        const auto q = case_normals(random, size), k = case_normals(random, size),
                   v = case_normals(random, size);
        const auto rows = [=](const CaseFloats& x, std::int64_t first, std::int64_t n) {
          return rows_from(x, first, n, heads, dim);
        };
        PreparedCase c = rows_case(
            size, 4.0f * static_cast<float>(dim), 1.0f,
            [=](Exec& exec, const CaseFloats& out) {
              text_attention(exec, lengths, 0.18f, rows(q, 0, tokens), rows(k, 0, tokens), rows(v, 0, tokens),
                             case_view(out, {tokens, heads * dim}), causal);
            },
            [=](const CaseFloats& out) {
              std::int64_t first = 0;
              for (int n : lengths) {
                reference::attention(
                    rows(q, first, n), rows(k, first, n), rows(v, first, n), 0, 0.18f, 0, causal,
                    make_view(out->data() + first * heads * dim, DType::kF32, {n, heads * dim}));
                first += n;
              }
            });
        for (const int n : lengths) c.flops += 4.0 * heads * dim * n * n;
        return c;
      },
      perf);
}

}  // namespace

std::vector<OpCase> cases_attention() {
  const Shape smol{9, 3, 64}, gemma{4, 1, 256}, plain{4, 4, 32}, odd{10, 2, 48};
  return {
      paged_case("first token", smol, {{0, 1}}, 0),
      paged_case("decode", smol, {{100, 1}}, 0),
      paged_case("decode long", smol, {{700, 1}}, 0, true),
      paged_case("decode long", gemma, {{700, 1}}, 0, true),
      paged_case("decode at page ends", smol, {{31, 1}, {32, 1}, {63, 1}, {64, 1}}, 0),
      paged_case("prefill", smol, {{0, 150}}, 0, true),
      paged_case("prefill", gemma, {{0, 90}}, 0, true),
      paged_case("prefill", plain, {{0, 70}}, 0),
      paged_case("prefill", odd, {{0, 45}}, 0),
      paged_case("continued", smol, {{77, 40}}, 0),
      paged_case("window", gemma, {{0, 120}}, 50),
      paged_case("window decode", gemma, {{300, 1}}, 64),
      paged_case("window continued", smol, {{90, 33}}, 32),
      paged_case("window of one", smol, {{40, 3}}, 1),
      paged_case("mixed step", smol, {{55, 1}, {0, 37}, {200, 1}, {10, 9}}, 0),
      text_case({7, 1, 33, 77}, 2, 32, true),
      text_case({16, 17, 50}, 3, 48, true),
      text_case({25, 24, 24, 22, 20}, 12, 32, false, true),
      text_case({1}, 12, 32),
      text_case({33, 2, 64, 7}, 12, 32),
      text_case({200}, 4, 64),
  };
}

}  // namespace consort
