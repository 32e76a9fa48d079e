#include <fmt/format.h>

#include "kernels/lanes/cases.h"
#include "kernels/pooling/pooling.h"

namespace consort {
namespace {

PreparedCase pool_case(std::vector<int> lengths, std::int64_t n) {
  CaseRandom random(static_cast<std::uint64_t>(lengths.size() * 1049 + static_cast<std::size_t>(n)));
  std::int64_t tokens = 0;
  for (int length : lengths) tokens += length;
  const auto x = case_normals(random, static_cast<std::size_t>(tokens * n));
  const std::int64_t texts = static_cast<std::int64_t>(lengths.size());
  const auto finish = [=](auto pool, auto normalise, const CaseFloats& out) {
    pool(case_view(x, {tokens, n}), case_view(out, {texts, n}));
    normalise(case_view(out, {texts, n}));
  };
  return rows_case(
      static_cast<std::size_t>(texts * n), 300.0f, 1.0f,  // at most 256 additions in a row
      [=](Exec& exec, const CaseFloats& out) {
        finish([&](TensorView from, TensorView to) { mean_pool(exec, from, lengths, to); },
               [&](TensorView v) { l2_normalise(exec, v); }, out);
      },
      [=](const CaseFloats& out) {
        finish([&](TensorView from, TensorView to) { reference::mean_pool(from, lengths, to); },
               [&](TensorView v) { reference::l2_normalise(v); }, out);
      });
}

}  // namespace

std::vector<OpCase> cases_pooling() {
  return {op_case("1 text of 1", [](Exec&) { return pool_case({1}, 384); }),
          op_case("3 texts, width 20",
                  [](Exec&) {
                    return pool_case({2, 1, 7}, 20);
                  }),
          op_case("texts of 256 and 31", [](Exec&) {
            return pool_case({256, 31}, 384);
          })};
}

}  // namespace consort
