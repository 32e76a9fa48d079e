#include <cmath>

#include "kernels/exec/cases.h"
#include "kernels/pooling/pooling.h"

namespace consort {
namespace {

constexpr float kUnit = 0x1p-24f;  // unit roundoff of float32

PreparedCase prepare_mean(std::vector<int> lengths, std::int64_t n) {
  CaseRandom random(static_cast<std::uint64_t>(lengths.size() * 4099) + static_cast<std::uint64_t>(n));
  std::int64_t tokens = 0;
  for (int length : lengths) tokens += length;
  const auto texts = static_cast<std::int64_t>(lengths.size());
  auto x = std::make_shared<std::vector<float>>(random.normals(static_cast<std::size_t>(tokens * n)));
  PreparedCase c;
  c.out = case_floats(static_cast<std::size_t>(texts * n));
  c.expected = case_floats(c.out->size());
  c.bound = case_floats(c.out->size());
  const auto rows = [=] { return make_view(x->data(), DType::kF32, {tokens, n}); };
  c.run = [=, out = c.out](Exec& exec) {
    mean_pool(exec, rows(), lengths, make_view(out->data(), DType::kF32, {texts, n}));
  };
  c.reference = [=, expected = c.expected, bound = c.bound] {
    reference::mean_pool(rows(), lengths, make_view(expected->data(), DType::kF32, {texts, n}));
    std::size_t row = 0;
    for (std::size_t t = 0; t < lengths.size(); ++t)
      for (int i = 0; i < lengths[t]; ++i, ++row)
        for (std::size_t j = 0; j < static_cast<std::size_t>(n);
             ++j)  // length + 2 roundings of terms / length
          (*bound)[t * n + j] += std::fabs((*x)[row * n + j]) * kUnit * (static_cast<float>(lengths[t]) + 2) /
                                 static_cast<float>(lengths[t]);
  };
  c.bytes = 4.0 * static_cast<double>(tokens * n + texts * n);
  c.flops = static_cast<double>(tokens * n);
  return c;
}

PreparedCase prepare_length(std::int64_t count, std::int64_t n) {
  CaseRandom random(static_cast<std::uint64_t>(count * 4099 + n));
  auto x = std::make_shared<std::vector<float>>(random.normals(static_cast<std::size_t>(count * n)));
  std::fill_n(x->begin(), n, 0.0f);  // a row of zeros stays
  PreparedCase c;
  c.out = case_floats(x->size());
  c.expected = case_floats(x->size());
  c.bound = case_floats(x->size());
  c.run = [=, out = c.out](Exec& exec) {
    *out = *x;
    l2_normalise(exec, make_view(out->data(), DType::kF32, {count, n}));
  };
  c.reference = [=, expected = c.expected, bound = c.bound] {
    *expected = *x;
    reference::l2_normalise(make_view(expected->data(), DType::kF32, {count, n}));
    for (std::size_t i = 0; i < x->size(); ++i)
      (*bound)[i] = std::fabs((*expected)[i]) * (static_cast<float>(n) / 2 + 6) * kUnit;
  };
  c.bytes = 8.0 * static_cast<double>(count * n);
  c.flops = 3.0 * static_cast<double>(count * n);
  return c;
}

}  // namespace

std::vector<OpCase> cases_pooling() {
  std::vector<OpCase> cases;
  const auto push = [&](std::string name, std::function<PreparedCase(Exec&)> prepare, bool perf) {
    cases.push_back({std::move(name), std::move(prepare), perf, true, true});
  };
  for (std::int64_t n : {1, 19, 384}) {
    push(
        "mean of 1 n=" + std::to_string(n), [=](Exec&) { return prepare_mean({1}, n); }, false);
    push(
        "mean of many n=" + std::to_string(n),
        [=](Exec&) {
          return prepare_mean({3, 1, 40, 128}, n);
        },
        n == 384);
    push(
        "length n=" + std::to_string(n), [=](Exec&) { return prepare_length(9, n); }, n == 384);
  }
  return cases;
}

}  // namespace consort
