#include "agents/ensemble/code_mixture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "scheduler/decode/sampler.h"

namespace consort {
namespace {

constexpr double kEight = 8 * 0.693147180559945309417;

// A member with tokens of `stride` bytes and made-up probabilities.
TextCode made(const std::string& name, std::size_t bytes, std::size_t stride, std::uint64_t seed) {
  TextCode code{name, {}, {}, {}};
  for (std::size_t b = 0; b < bytes; ++b)
    code.byte_logprobs.push_back(-5 * counter_uniform(seed, b));
  for (std::size_t end = stride; end < bytes; end += stride)
    code.token_ends.push_back(static_cast<std::int64_t>(end));
  code.token_ends.push_back(static_cast<std::int64_t>(bytes));
  for (std::size_t t = 0; t < code.token_ends.size(); ++t)
    code.token_logprobs.push_back(-9 * counter_uniform(seed, t, 1));
  return code;
}
double total(const std::vector<double>& lp) {
  double sum = 0;
  for (const double v : lp) sum += v;
  return sum;
}

TEST(CodeTable, ChunksEndWhereTokensOfAllMembersEnd) {
  const std::vector<TextCode> members = {made("a", 20, 2, 1), made("b", 20, 3, 2)};
  const auto table = code_table(members, 20, CodePieces::kChunks);
  ASSERT_TRUE(table) << table.error().line();
  EXPECT_EQ(table->ends, (std::vector<std::int64_t>{6, 12, 18, 20}));
  for (std::size_t m = 0; m < 2; ++m)
    EXPECT_NEAR(total(table->lp[m]), total(members[m].token_logprobs), 1e-12);
  const auto bytes = code_table(members, 20, CodePieces::kBytes);
  EXPECT_EQ(bytes->ends.size(), 20u);
}

TEST(CodeTable, WhatHasNothingBeforeItCostsEightBitsAByte) {
  TextCode a = made("a", 12, 4, 1);
  a.token_logprobs[0] = std::nan("");
  for (std::size_t b = 0; b < 4; ++b) a.byte_logprobs[b] = std::nan("");
  const std::vector<TextCode> members = {a, made("b", 12, 3, 2)};
  const auto chunks = code_table(members, 12, CodePieces::kChunks);
  ASSERT_TRUE(chunks);
  EXPECT_EQ(chunks->ends, (std::vector<std::int64_t>{12}));
  EXPECT_NEAR(chunks->lp[0][0], -4 * kEight + a.token_logprobs[1] + a.token_logprobs[2], 1e-12);
  EXPECT_NEAR(code_table(members, 12, CodePieces::kBytes)->lp[0][3], -kEight, 1e-12);
}

TEST(CodeTable, RefusesWhatDoesNotFit) {
  EXPECT_FALSE(code_table({}, 3, CodePieces::kBytes));
  EXPECT_FALSE(code_table({made("a", 10, 2, 1)}, 11, CodePieces::kBytes));
  TextCode a = made("a", 10, 2, 1);
  EXPECT_FALSE(code_table({a}, 11, CodePieces::kChunks));
  a.token_logprobs.pop_back();
  EXPECT_FALSE(code_table({a}, 10, CodePieces::kChunks));
}

TEST(CodeMixture, KeepsItsBoundsOverBytesAndChunks) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<TextCode> members = {made("a", 300, 2, seed), made("b", 300, 3, seed + 50),
                                           made("c", 300, 5, seed + 99)};
    for (const CodePieces pieces : {CodePieces::kBytes, CodePieces::kChunks}) {
      const auto table = code_table(members, 300, pieces);
      for (const double alpha : {0.0, 0.005, 0.2}) {
        for (const std::vector<double>& w : {std::vector<double>{}, std::vector<double>{1, 2, 7}}) {
          const auto mixed = mix_codes(*table, {CombineRule::kBayes, alpha, w});
          ASSERT_TRUE(mixed);
          EXPECT_LE(mixed->nats, mixed->bound_nats + 1e-9);
          const double best =
              *std::min_element(mixed->member_nats.begin(), mixed->member_nats.end());
          if (w.empty()) {  // as stated: best + log M - (T - 1) log(1 - alpha + alpha / M)
            EXPECT_NEAR(mixed->bound_nats,
                        best + std::log(3) -
                            (static_cast<double>(table->ends.size()) - 1) * std::log(1 - alpha + alpha / 3),
                        1e-9);
          }
        }
      }
      const auto linear = mix_codes(*table, {CombineRule::kLinear, 0, {}});
      EXPECT_EQ(linear->bound_nats, std::numeric_limits<double>::infinity());
    }
  }
}

}  // namespace
}  // namespace consort
