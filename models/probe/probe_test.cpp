// Probes: the solvers against what must hold at a minimum, scores against hand-made cases, files against
// damage.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>

#include "models/formats/testing/synthetic_files.h"
#include "models/probe/cholesky.h"
#include "models/probe/fit.h"
#include "tests/fuzz/mutate.h"

namespace consort {
namespace {

using testing::TemporaryFolder;

std::vector<float> random_rows(std::size_t rows, std::size_t columns, int seed) {
  std::mt19937_64 random(static_cast<std::uint64_t>(seed));
  std::vector<float> x(rows * columns);
  for (float& v : x) v = static_cast<float>(static_cast<double>(random() >> 11) * 0x1p-53 * 2 - 1);
  return x;
}

TEST(Cholesky, SolvesWhatItFactored) {
  constexpr std::size_t kSize = 23, kRows = 61;
  const auto floats = random_rows(kRows, kSize, 3);
  const std::vector<double> x(floats.begin(), floats.end());
  SymmetricMatrix gram(kSize);
  add_gram(gram, x);
  for (std::size_t i = 0; i < kSize; ++i)
    for (std::size_t j = 0; j < kSize; ++j) {
      double sum = 0;
      for (std::size_t r = 0; r < kRows; ++r) sum += x[r * kSize + i] * x[r * kSize + j];
      ASSERT_NEAR(gram.row(i)[j], sum, 1e-12);
    }
  std::vector<double> b(kSize), solution;
  for (std::size_t i = 0; i < kSize; ++i) b[i] = std::sin(static_cast<double>(i));
  solution = b;
  Cholesky cholesky;
  ASSERT_TRUE(cholesky.factor(gram));
  cholesky.solve(solution);
  for (std::size_t i = 0; i < kSize; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < kSize; ++j) sum += gram.row(i)[j] * solution[j];
    EXPECT_NEAR(sum, b[i], 1e-10);
  }
  gram.row(4)[4] = -1;
  EXPECT_FALSE(cholesky.factor(gram));
}

TEST(Probe, RidgeFindsALinearLaw) {
  constexpr std::size_t kRows = 200, kColumns = 12;
  const auto x = random_rows(kRows, kColumns, 4);
  std::vector<double> y(kRows, 3.0);
  for (std::size_t i = 0; i < kRows; ++i) y[i] += 2.0 * x[i * kColumns + 1] - 0.5 * x[i * kColumns + 7];
  ProbeData data;
  data.dimension = kColumns;
  data.embeddings = x;
  data.numbers = y;
  ProbeOptions options;
  options.penalties = {1e-6, 1e-2, 1};
  const auto fit = fit_probe(data, options);
  ASSERT_TRUE(fit) << fit.error().line();
  EXPECT_EQ(fit->probe.penalty, 1e-6);
  EXPECT_GT(fit->held_out.r2, 0.999);
  EXPECT_NEAR(fit->probe.weights[1], 2.0, 1e-3);
  EXPECT_NEAR(fit->probe.weights[7], -0.5, 1e-3);
  EXPECT_NEAR(fit->probe.bias[0], 3.0, 1e-3);
  const float probe_point[kColumns] = {0, 1};
  EXPECT_NEAR(fit->probe.apply(probe_point).value()[0], 5.0, 1e-3);
  const auto again = fit_probe(data, options);
  EXPECT_EQ(again->probe.weights, fit->probe.weights);
}

// At the minimum the gradient of the penalised loss is 0.
TEST(Probe, LogisticStandsAtTheMinimum) {
  constexpr std::size_t kRows = 120, kColumns = 5;
  const auto x = random_rows(kRows, kColumns, 5);
  std::vector<std::int32_t> classes(kRows);
  for (std::size_t i = 0; i < kRows; ++i)
    classes[i] =
        x[i * kColumns] + 0.7f * x[i * kColumns + 3] + 0.4f * x[i * kColumns + 4] * (i % 3 == 0 ? -4 : 1) > 0;
  ProbeData data;
  data.dimension = kColumns;
  data.embeddings = x;
  data.classes = classes;
  data.labels = {"no", "yes"};
  ProbeOptions options;
  options.kind = ProbeKind::kLogistic;
  options.penalties = {1e-9};
  const auto fit = fit_probe(data, options);
  ASSERT_TRUE(fit) << fit.error().line();
  std::vector<double> gradient(kColumns + 1, 0.0);
  for (std::size_t i = 0; i < kRows; ++i) {
    const double p = fit->probe.apply(std::span(x).subspan(i * kColumns, kColumns)).value()[1];
    for (std::size_t c = 0; c < kColumns; ++c) gradient[c] += (p - classes[i]) * x[i * kColumns + c] / kRows;
    gradient[kColumns] += (p - classes[i]) / kRows;
  }
  for (const double g : gradient) EXPECT_NEAR(g, 0.0, 1e-4);
  EXPECT_GT(fit->held_out.auc, 0.7);
  EXPECT_GT(fit->held_out.accuracy, 0.6);
}

TEST(Probe, SeparableClassesAndManyClassesStayFinite) {
  constexpr std::size_t kRows = 90, kColumns = 4;
  auto x = random_rows(kRows, kColumns, 6);
  std::vector<std::int32_t> classes(kRows);
  for (std::size_t i = 0; i < kRows; ++i) {
    classes[i] = static_cast<std::int32_t>(i % 3);
    x[i * kColumns + i % 3] += 4.0f;
    x[i * kColumns + 3] = 7.0f;  // a column that never varies
  }
  ProbeData data;
  data.dimension = kColumns;
  data.embeddings = x;
  data.classes = classes;
  data.labels = {"a", "b", "c"};
  ProbeOptions options;
  options.kind = ProbeKind::kLogistic;
  const auto fit = fit_probe(data, options);
  ASSERT_TRUE(fit) << fit.error().line();
  EXPECT_EQ(fit->probe.rows(), 3u);
  EXPECT_GT(fit->held_out.accuracy, 0.97);
  double total = 0;
  const auto shares = fit->probe.apply(std::span(x).first(kColumns)).value();
  for (const double p : shares) total += p;
  EXPECT_NEAR(total, 1.0, 1e-12);
}

TEST(Probe, AucCountsPairsAndTies) {
  const double scores[] = {0.1, 0.4, 0.35, 0.8};
  const std::int32_t truth[] = {0, 0, 1, 1};
  EXPECT_DOUBLE_EQ(roc_auc(scores, truth), 0.75);
  const double tied[] = {1, 1, 1, 1};
  EXPECT_DOUBLE_EQ(roc_auc(tied, truth), 0.5);
  const std::int32_t one_class[] = {1, 1, 1, 1};
  EXPECT_DOUBLE_EQ(roc_auc(scores, one_class), 0.5);
}

TEST(Probe, FoldsAreEvenByClassAndRepeatable) {
  std::vector<std::int32_t> classes(53, 0);
  for (std::size_t i = 0; i < 10; ++i) classes[i * 5] = 1;
  const auto folds = assign_folds(classes.size(), classes, 5, 9);
  EXPECT_EQ(folds, assign_folds(classes.size(), classes, 5, 9));
  EXPECT_NE(folds, assign_folds(classes.size(), classes, 5, 10));
  std::vector<int> rare(5, 0);
  for (std::size_t i = 0; i < classes.size(); ++i) rare[static_cast<std::size_t>(folds[i])] += classes[i];
  for (const int n : rare) EXPECT_EQ(n, 2);
}

TEST(Probe, WhatCannotBeFittedIsRefused) {
  const auto x = random_rows(10, 2, 7);
  const std::vector<double> same(10, 1.0);
  const std::vector<std::int32_t> rare = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  ProbeData data;
  data.dimension = 2;
  data.embeddings = x;
  data.numbers = same;
  EXPECT_FALSE(fit_probe(data, {}));
  data.classes = rare;
  data.labels = {"a", "b"};
  ProbeOptions logistic;
  logistic.kind = ProbeKind::kLogistic;
  const auto refused = fit_probe(data, logistic);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().line().find("class 'b' has 1 examples"), std::string::npos);
  data.embeddings = data.embeddings.first(8);
  EXPECT_FALSE(fit_probe(data, {}));
}

Probe small_probe() {
  Probe probe;
  probe.kind = ProbeKind::kLogistic;
  probe.model = "gnn-gcn";
  probe.weights_digest = "00ff";
  probe.target = "toxic";
  probe.labels = {"no: 3", "yes"};
  probe.dimension = 3;
  probe.penalty = 0.01;
  probe.weights = {1, -2, 0.5f};
  probe.bias = {0.25f};
  return probe;
}

TEST(Probe, AFileComesBackAsItWas) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/p.safetensors";
  const Probe probe = small_probe();
  ASSERT_TRUE(save_probe(probe, path));
  const auto loaded = load_probe(path);
  ASSERT_TRUE(loaded) << loaded.error().line();
  EXPECT_EQ(loaded->labels, probe.labels);
  EXPECT_EQ(loaded->weights, probe.weights);
  EXPECT_EQ(loaded->bias, probe.bias);
  EXPECT_EQ(loaded->model, probe.model);
  EXPECT_EQ(loaded->target, probe.target);
  EXPECT_EQ(loaded->penalty, probe.penalty);
  const float x[] = {1, 2, 3};
  EXPECT_EQ(loaded->apply(x).value(), probe.apply(x).value());
  EXPECT_FALSE(probe.apply(std::vector<float>{1, 2, std::nanf("")}));
}

TEST(Probe, DamagedFilesAreRefusedOrSound) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/p.safetensors";
  ASSERT_TRUE(save_probe(small_probe(), path));
  std::ifstream in(path, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  testing::Mutator mutator(31);
  const float x[] = {1, 2, 3};
  for (int i = 0; i < 2000; ++i) {
    folder.file("m.safetensors", mutator.mutate(whole, whole.size() - 16));
    const auto probe = load_probe(folder.path() + "/m.safetensors");
    if (!probe) continue;
    ASSERT_EQ(probe->weights.size(), probe->rows() * probe->dimension);
    if (probe->dimension == 3) {
      ASSERT_TRUE(probe->apply(x)) << probe->apply(x).error().line();
    }
  }
}

}  // namespace
}  // namespace consort
