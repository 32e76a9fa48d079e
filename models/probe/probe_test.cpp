// Probes: the solvers against what must hold at a minimum, scores against hand-made cases, files against
// damage.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>

#include "models/formats/testing/synthetic_files.h"
#include "models/probe/cholesky.h"
#include "models/probe/fit.h"
#include "models/probe/probe_file.h"
#include "models/probe/split.h"
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

TEST(Probe, CurvedCasesReachTheMinimumWithManyColumns) {
  constexpr std::size_t kRows = 400, kColumns = 60;  // some columns nearly the same, one class rare
  auto x = random_rows(kRows, kColumns, 8);
  std::vector<std::int32_t> classes(kRows);
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t c = 20; c < kColumns; ++c)
      x[i * kColumns + c] = 0.999f * x[i * kColumns + c % 20] + 0.001f * x[i * kColumns + c];
    classes[i] = 3 * x[i * kColumns] + x[i * kColumns + 41] > 2.2f;
  }
  ProbeData data;
  data.dimension = kColumns;
  data.embeddings = x;
  data.classes = classes;
  data.labels = {"no", "yes"};
  ProbeOptions options;
  options.kind = ProbeKind::kLogistic;
  options.penalties = {1e-4};
  const auto fit = fit_probe(data, options);
  ASSERT_TRUE(fit) << fit.error().line();
  // The gradient of the mean loss and the penalty, in units of standardised columns (uniform in -1..1:
  // 0.577).
  std::vector<double> gradient(kColumns, 0.0);
  for (std::size_t i = 0; i < kRows; ++i) {
    const double p = fit->probe.apply(std::span(x).subspan(i * kColumns, kColumns)).value()[1];
    for (std::size_t c = 0; c < kColumns; ++c) gradient[c] += (p - classes[i]) * x[i * kColumns + c] / kRows;
  }
  for (std::size_t c = 0; c < kColumns; ++c)
    EXPECT_NEAR(gradient[c] * 0.577 + 1e-4 * fit->probe.weights[c] * 0.577 * 0.577, 0.0, 5e-4);
}

TEST(Probe, GroupsStayTogether) {
  std::vector<std::uint32_t> groups;
  for (std::uint32_t g = 0; g < 12; ++g) groups.insert(groups.end(), g < 2 ? 10 : 1 + g % 3, g);
  const auto folds = assign_group_folds(groups, 4, 5);
  EXPECT_EQ(folds, assign_group_folds(groups, 4, 5));
  std::vector<std::size_t> sizes(4, 0);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    ++sizes[static_cast<std::size_t>(folds[i])];
    if (i > 0 && groups[i] == groups[i - 1]) {
      EXPECT_EQ(folds[i], folds[i - 1]);
    }
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{11, 10, 10, 10}));
  // 41 examples, room for 30: the groups of ten are fitted on, rare ones judge.
  const auto aside = hold_groups_aside(groups, 0.25);
  EXPECT_EQ(std::count(aside.begin(), aside.end(), true), 11);
  EXPECT_FALSE(aside[0]);
  for (std::size_t i = 1; i < groups.size(); ++i)
    if (groups[i] == groups[i - 1]) {
      EXPECT_EQ(aside[i], aside[i - 1]);
    }
  const auto drawn = hold_aside(100, 0.2, 3);
  EXPECT_EQ(std::count(drawn.begin(), drawn.end(), true), 20);
  EXPECT_NE(drawn, hold_aside(100, 0.2, 4));
}

TEST(Probe, GivenFoldsAreUsedAndChecked) {
  constexpr std::size_t kRows = 60;
  const auto x = random_rows(kRows, 2, 9);
  std::vector<double> y(kRows);
  std::vector<int> folds(kRows);
  for (std::size_t i = 0; i < kRows; ++i) {
    folds[i] = static_cast<int>(i % 2);
    y[i] = folds[i] == 0 ? x[2 * i] : -x[2 * i];  // what one fold teaches is wrong in the other
  }
  ProbeData data;
  data.dimension = 2;
  data.embeddings = x;
  data.numbers = y;
  data.folds = folds;
  ProbeOptions options;
  options.folds = 2;
  const auto fit = fit_probe(data, options);
  ASSERT_TRUE(fit) << fit.error().line();
  EXPECT_LT(fit->held_out.r2, 0.05);
  const auto seen = score_probe(fit->probe, data);
  ASSERT_TRUE(seen);
  EXPECT_NEAR(seen->rmse, std::sqrt(1.0 / 3), 0.1);
  folds.assign(kRows, 1);
  EXPECT_FALSE(fit_probe(data, options));
  folds.assign(kRows, 2);
  EXPECT_FALSE(fit_probe(data, options));
}

ProbeFile small_file() {
  ProbeFile file;
  file.encoders = {{"gnn-gcn", "00ff", 2}, {"a b:c", "", 1}};
  file.input_kind = "smiles";
  file.report = R"({"folds": 5})";
  file.unit_length = false;
  Probe head;
  head.kind = ProbeKind::kLogistic;
  head.target = "toxic";
  head.labels = {"no: 3", "yes"};
  head.dimension = 3;
  head.penalty = 0.01;
  head.weights = {1, -2, 0.5f};
  head.bias = {0.25f};
  file.heads.push_back(head);
  head.kind = ProbeKind::kRidge;
  head.target = "solubility";
  head.labels.clear();
  file.heads.push_back(head);
  return file;
}

TEST(Probe, AFileComesBackAsItWas) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/p.safetensors";
  const ProbeFile file = small_file();
  ASSERT_TRUE(save_probes(file, path));
  const auto loaded = load_probes(path);
  ASSERT_TRUE(loaded) << loaded.error().line();
  ASSERT_EQ(loaded->encoders.size(), 2u);
  EXPECT_EQ(loaded->encoders[1].model, "a b:c");
  EXPECT_EQ(loaded->encoders[0].digest, "00ff");
  EXPECT_EQ(loaded->dimension(), 3u);
  EXPECT_EQ(loaded->report, file.report);
  EXPECT_EQ(loaded->input_kind, "smiles");
  EXPECT_FALSE(loaded->unit_length);
  ASSERT_EQ(loaded->heads.size(), 2u);
  const float x[] = {1, 2, 3};
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(loaded->heads[i].labels, file.heads[i].labels);
    EXPECT_EQ(loaded->heads[i].weights, file.heads[i].weights);
    EXPECT_EQ(loaded->heads[i].target, file.heads[i].target);
    EXPECT_EQ(loaded->heads[i].penalty, file.heads[i].penalty);
    EXPECT_EQ(loaded->heads[i].apply(x).value(), file.heads[i].apply(x).value());
  }
  EXPECT_FALSE(file.heads[0].apply(std::vector<float>{1, 2, std::nanf("")}));
  EXPECT_FALSE(file.heads[0].apply(std::vector<float>{1, 2}));
}

TEST(Probe, FilesThatDoNotFitAreNotWritten) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/p.safetensors";
  ProbeFile file = small_file();
  file.encoders.pop_back();
  EXPECT_FALSE(save_probes(file, path));
  file = small_file();
  file.heads[1].target = "toxic";
  EXPECT_FALSE(save_probes(file, path));
  file = small_file();
  file.heads[0].labels.pop_back();
  EXPECT_FALSE(save_probes(file, path));
  EXPECT_FALSE(load_probes(path));
  EXPECT_EQ(load_probes(path).error().kind, ErrorKind::kNotFound);
}

TEST(Probe, DamagedFilesAreRefusedOrSound) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/p.safetensors";
  ASSERT_TRUE(save_probes(small_file(), path));
  std::ifstream in(path, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  testing::Mutator mutator(31);
  const float x[] = {1, 2, 3};
  for (int i = 0; i < 2000; ++i) {
    folder.file("m.safetensors", mutator.mutate(whole, whole.size() - 32));
    const auto file = load_probes(folder.path() + "/m.safetensors");
    if (!file) continue;
    for (const Probe& head : file->heads) {
      ASSERT_EQ(head.weights.size(), head.rows() * head.dimension);
      ASSERT_EQ(head.dimension, file->dimension());
      if (head.dimension == 3) {
        ASSERT_TRUE(head.apply(x)) << head.apply(x).error().line();
      }
    }
  }
}

}  // namespace
}  // namespace consort
