#include "kernels/attention/attention.h"

#include <algorithm>
#include <utility>

#include "kernels/attention/kernel.h"
#include "kernels/lanes/rows.h"

namespace consort {
namespace {

// Rows of a tile in prefill: 48 rows x 64 (head_dim) x 2 x 4 bytes plus one unpacked block stay inside L1.
constexpr std::size_t kTileRows = 96;
// Multiply-adds below which attention stays on the caller's thread: about 5 us, twice a wake-up.
constexpr double kSerialWork = 1e5;

struct Heads {
  std::size_t count, per_kv, dim;
};

// One task: rows [first, first + positions) of a slice, heads [head, head + heads) of one kv head.
struct TileTask {
  std::uint32_t slice, token, first, positions, head, heads;
};

template <typename Run>
void run_tiles(Exec& exec, std::size_t tasks, double work, std::size_t scratch_floats, Run&& run) {
  const std::size_t workers = work < kSerialWork ? 1 : static_cast<std::size_t>(exec.threads.size());
  const std::size_t each = (scratch_floats + 15) / 16 * 16;
  const std::span<float> scratch = exec.scratch.take_array<float>(each * workers);
  const auto body = [&](std::size_t begin, std::size_t end, int worker) {
    for (std::size_t i = begin; i < end; ++i)
      run(i, scratch.data() + each * static_cast<std::size_t>(worker));
  };
  if (workers == 1)
    body(0, tasks, 0);
  else
    exec.threads.parallel_for(tasks, 1, body);
}

// Later tiles see more keys, so they come first: the long tasks are not left for the end.
std::size_t plan_tiles(std::span<const AttentionSlice> slices, const Heads& heads, int threads, bool heavy,
                       std::span<TileTask> tasks) {
  std::size_t n = 0, token = 0, tiles = 0;
  const std::size_t positions = std::max<std::size_t>(1, kTileRows / heads.per_kv);
  for (const AttentionSlice& s : slices)
    tiles += (static_cast<std::size_t>(s.rows) + positions - 1) / positions;
  // Too few tiles for the threads (decoding one sequence): the heads of a group are dealt out one by one.
  const bool split = heavy && threads > 1 && tiles * (heads.count / heads.per_kv) < 4u * threads;
  const std::size_t step = split ? std::max<std::size_t>(1, heads.per_kv / 2) : heads.per_kv;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const std::size_t rows = static_cast<std::size_t>(slices[i].rows);
    for (std::size_t done = (rows + positions - 1) / positions * positions; done > 0; done -= positions) {
      const std::size_t first = done - positions;
      for (std::size_t kv = 0; kv < heads.count; kv += heads.per_kv)
        for (std::size_t h = 0; h < heads.per_kv; h += step)
          tasks[n++] = {static_cast<std::uint32_t>(i),
                        static_cast<std::uint32_t>(token + first),
                        static_cast<std::uint32_t>(first),
                        static_cast<std::uint32_t>(std::min(positions, rows - first)),
                        static_cast<std::uint32_t>(kv + h),
                        static_cast<std::uint32_t>(std::min(step, heads.per_kv - h))};
    }
    token += rows;
  }
  return n;
}

std::size_t most_tasks(std::span<const AttentionSlice> slices, const Heads& heads) {
  const std::size_t positions = std::max<std::size_t>(1, kTileRows / heads.per_kv);
  std::size_t n = 0;
  for (const AttentionSlice& s : slices)
    n += (static_cast<std::size_t>(s.rows) + positions - 1) / positions * heads.count;
  return n;
}

double work_of(std::span<const AttentionSlice> slices, const Heads& heads, int window) {
  double keys = 0;
  for (const AttentionSlice& s : slices) {
    const double seen = s.start + s.rows * 0.5 + 1;
    keys += s.rows * (window > 0 ? std::min<double>(seen, window) : seen);
  }
  return keys * 2.0 * static_cast<double>(heads.count * heads.dim);
}

// Keys and values of the first block that a task reads.
std::pair<const std::uint16_t*, const std::uint16_t*> first_block(const AttentionSlice& slice,
                                                                  const TileTask& task,
                                                                  const AttentionOptions& options,
                                                                  const Heads& heads) {
  const std::int64_t start = slice.start + static_cast<std::int64_t>(task.first);
  const std::int64_t first = options.window > 0 ? std::max<std::int64_t>(0, start - options.window + 1) : 0;
  const auto* page = reinterpret_cast<const std::uint16_t*>(slice.kv.pages[first / kPageTokens]);
  const int head = static_cast<int>(task.head / heads.per_kv);
  const KvLayout& layout = slice.kv.layout;
  return {page + layout.offset(options.layer, 0, head, 0), page + layout.offset(options.layer, 1, head, 0)};
}

}  // namespace

void write_kv(Exec& exec, std::span<const AttentionSlice> slices, int layer, TensorView k, TensorView v) {
  const RowsOf ks(k), vs(v);
  const std::size_t heads = static_cast<std::size_t>(k.dims[1]);
  const auto write = [&](const AttentionSlice& s, std::size_t row, std::size_t token) {
    const KvLayout& layout = s.kv.layout;
    const std::size_t position = static_cast<std::size_t>(s.start) + row;
    auto* page = reinterpret_cast<std::uint16_t*>(s.kv.pages[position / kPageTokens]);
    const std::size_t slot = position % kPageTokens;
    for (std::size_t h = 0; h < heads; ++h)
      CONSORT_ISA_CALL(exec.isa, store_key_value, ks[token * heads + h], vs[token * heads + h],
                       page + layout.offset(layer, 0, static_cast<int>(h), 0) + slot,
                       page + layout.offset(layer, 1, static_cast<int>(h), static_cast<int>(slot)), ks.cols);
  };
  // Every element of a key goes to a cache line of its own: 16 times the work of a copy.
  for_rows(exec, ks.rows / heads, heads * ks.cols * 16, [&](std::size_t begin, std::size_t end) {
    std::size_t first = 0;  // token of the slice's first row
    for (const AttentionSlice& s : slices) {
      const std::size_t rows = static_cast<std::size_t>(s.rows), low = std::max(begin, first);
      for (std::size_t t = low; t < std::min(end, first + rows); ++t) write(s, t - first, t);
      first += rows;
    }
  });
}

void paged_attention(Exec& exec, std::span<const AttentionSlice> slices, const AttentionOptions& options,
                     TensorView q, TensorView out) {
  if (slices.empty()) return;
  const KvLayout& layout = slices.front().kv.layout;
  const std::size_t kv_heads = static_cast<std::size_t>(layout.kv_heads);
  const Heads heads{static_cast<std::size_t>(q.dims[1]), static_cast<std::size_t>(q.dims[1]) / kv_heads,
                    static_cast<std::size_t>(q.dims[2])};
  const double work = work_of(slices, heads, options.window);
  const ScratchArena::Mark mark(exec.scratch);
  const std::span<TileTask> tasks = exec.scratch.take_array<TileTask>(most_tasks(slices, heads));
  const std::size_t n = plan_tiles(slices, heads, exec.threads.size(), work >= kSerialWork, tasks);
  const std::size_t rows = std::max(kTileRows, heads.per_kv);
  run_tiles(exec, n, work, attention_scratch_floats(rows, heads.dim), [&](std::size_t i, float* scratch) {
    const TileTask& task = tasks[i];
    const AttentionSlice& slice = slices[task.slice];
    const int kv_head = static_cast<int>(task.head / heads.per_kv);
    AttentionTile tile;
    tile.pages = slice.kv.pages;
    tile.key_offset = layout.offset(options.layer, 0, kv_head, 0);
    tile.value_offset = layout.offset(options.layer, 1, kv_head, 0);
    tile.head_dim = heads.dim;
    tile.rows = static_cast<std::size_t>(task.positions) * task.heads;
    tile.group = task.heads;
    tile.start = slice.start + static_cast<std::int64_t>(task.first);
    tile.window = options.window;
    tile.q_token_stride = static_cast<std::size_t>(q.strides[0]);
    tile.q_head_stride = static_cast<std::size_t>(q.strides[1]);
    tile.q = q.as<float>() + task.token * tile.q_token_stride + task.head * tile.q_head_stride;
    tile.out_token_stride = static_cast<std::size_t>(out.strides[0]);
    tile.out = out.as<float>() + task.token * tile.out_token_stride + task.head * heads.dim;
    tile.scale = options.scale;
    tile.scratch = scratch;
    if (i + 1 < n) {
      const auto [keys, values] = first_block(slices[tasks[i + 1].slice], tasks[i + 1], options, heads);
      tile.next_keys = keys;
      tile.next_values = values;
    }
    CONSORT_ISA_CALL(exec.isa, attend_tile, tile);
  });
}

void text_attention(Exec& exec, std::span<const int> lengths, float scale, TensorView q, TensorView k,
                    TensorView v, TensorView out, bool causal) {
  const std::size_t heads = static_cast<std::size_t>(q.dims[1]), dim = static_cast<std::size_t>(q.dims[2]);
  const RowsOf qs(q), ks(k), vs(v), outs(out);
  const ScratchArena::Mark mark(exec.scratch);
  const std::span<std::size_t> first = exec.scratch.take_array<std::size_t>(lengths.size());
  std::size_t longest = 0, tokens = 0;
  double work = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const std::size_t n = static_cast<std::size_t>(lengths[i]);
    first[i] = tokens;
    tokens += n;
    longest = std::max(longest, n);
    work += 2.0 * static_cast<double>(n * n * heads * dim);
  }
  const std::size_t floats = text_scratch_floats(longest, dim);
  run_tiles(exec, lengths.size() * heads, work, floats, [&](std::size_t i, float* scratch) {
    const std::size_t text = i / heads, head = i % heads, row = first[text] * heads + head;
    TextTile tile;
    tile.q = qs[row];
    tile.k = ks[row];
    tile.v = vs[row];
    tile.q_stride = static_cast<std::size_t>(q.strides[0]);
    tile.k_stride = static_cast<std::size_t>(k.strides[0]);
    tile.v_stride = static_cast<std::size_t>(v.strides[0]);
    tile.rows = static_cast<std::size_t>(lengths[text]);
    tile.head_dim = dim;
    tile.causal = causal;
    tile.scale = scale;
    tile.out_stride = static_cast<std::size_t>(out.strides[0]);
    tile.out = outs[first[text]] + head * dim;
    tile.scratch = scratch;
    CONSORT_ISA_CALL(exec.isa, attend_text, tile);
  });
}

}  // namespace consort
