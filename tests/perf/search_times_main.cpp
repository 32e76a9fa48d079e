// search_times VECTORS QUERIES DIMENSION: exact search of the retrieval memory's index, driven over standard input
// by tests/perf/compare_search. Files hold float32 rows. For each line "int K" (integers first, floats where the
// bound allows) or "float K" (all floats) all queries are searched; it answers with a line of JSON: microseconds of
// each query, and the slots that were found.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <algorithm>

#include "kernels/cpu/isa.h"
#include "kernels/distance/distance.h"
#include "memory/retrieval/vector_index.h"

namespace consort {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<float> floats_of(const char* path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  std::vector<float> out(static_cast<std::size_t>(std::max<std::streamoff>(in.tellg(), 0)) / sizeof(float));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size() * sizeof(float)));
  return out;
}

std::string list(const std::vector<std::string>& parts) {
  return fmt::format("[{}]", fmt::join(parts, ","));
}

int run(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: search_times VECTORS QUERIES DIMENSION\n");
    return 2;
  }
  const auto dimension = static_cast<std::size_t>(std::stoul(argv[3]));
  const std::vector<float> vectors = floats_of(argv[1]), queries = floats_of(argv[2]);
  if (dimension == 0 || vectors.empty() || vectors.size() % dimension != 0 || queries.size() % dimension != 0) {
    fmt::print(stderr, "the files hold no whole rows of {} float32 numbers\n", dimension);
    return 3;
  }
  VectorIndex index({"bench", "bench", dimension, VectorMetric::kDot});
  for (std::size_t row = 0; row * dimension < vectors.size(); ++row)
    index.put(static_cast<std::uint32_t>(row), std::span(vectors).subspan(row * dimension, dimension));
  const Isa isa = best_isa();
  fmt::print("{{\"rows\":{},\"bytes\":{},\"isa\":\"{}\"}}\n", index.size(), index.bytes(), isa_name(isa));
  std::fflush(stdout);
  std::string how;
  std::size_t k = 0;
  while (std::cin >> how >> k) {
    std::vector<std::string> times, found;
    for (std::size_t q = 0; q * dimension < queries.size(); ++q) {
      const auto query = std::span(queries).subspan(q * dimension, dimension);
      const auto begin = Clock::now();
      std::vector<ScoredSlot> scored =
          how == "int" ? index.nearest(query, k, dot_function(isa), code_dots_function(isa), {}).scored
                       : index.score(query, dot_function(isa), {});
      const auto top = scored.begin() + static_cast<std::ptrdiff_t>(std::min(k, scored.size()));
      std::partial_sort(scored.begin(), top, scored.end(), [](const ScoredSlot& a, const ScoredSlot& b) {
        return a.score != b.score ? a.score > b.score : a.slot < b.slot;
      });
      times.push_back(fmt::format("{:.1f}", std::chrono::duration<double, std::micro>(Clock::now() - begin).count()));
      std::vector<std::string> slots;
      for (auto at = scored.begin(); at != top; ++at) slots.push_back(std::to_string(at->slot));
      found.push_back(list(slots));
    }
    fmt::print("{{\"us\":{},\"found\":{}}}\n", list(times), list(found));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace consort

int main(int argc, char** argv) {
  return consort::run(argc, argv);
}
