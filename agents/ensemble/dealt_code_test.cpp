#include "agents/ensemble/dealt_code.h"

#include <gtest/gtest.h>

#include <cmath>

#include "agents/ensemble/fitting/random.h"

namespace consort {
namespace {

// Two members over the letters a and b. One has the letters as tokens, each with probability 1/2; the other
// has `ab` too, takes it wherever it can, and expects little else.
CodeTable letters_and_pairs(const std::string& text) {
  TextCode letters{"letters", {}, {}, {}}, pairs{"pairs", {}, {}, {}};
  for (std::size_t b = 0; b < text.size(); ++b) {
    letters.token_ends.push_back(static_cast<std::int64_t>(b + 1));
    letters.token_logprobs.push_back(std::log(0.5));
    const bool pair = text.compare(b, 2, "ab") == 0;
    pairs.token_ends.push_back(static_cast<std::int64_t>(pair ? b + 2 : b + 1));
    pairs.token_logprobs.push_back(std::log(pair ? 0.98 : 0.01));
    if (pair) {
      letters.token_ends.push_back(static_cast<std::int64_t>(++b + 1));
      letters.token_logprobs.push_back(std::log(0.5));
    }
  }
  return *code_table({letters, pairs}, text.size(), CodePieces::kChunks);
}

std::string text_of(unsigned bits, std::size_t size) {
  std::string text;
  for (std::size_t b = 0; b < size; ++b) text += (bits >> b & 1) != 0 ? 'a' : 'b';
  return text;
}

// Any weights that the text before a piece decides, and nothing else.
fitting::Matrix weights_by_prefix(const CodeTable& table, const std::string& text) {
  fitting::Matrix out(table.ends.size(), 2);
  for (std::size_t t = 0; t < out.rows(); ++t) {
    std::uint64_t seed = 7;
    const auto begin = static_cast<std::size_t>(t == 0 ? 0 : table.ends[t - 1]);
    for (std::size_t b = 0; b < begin; ++b) seed = seed * 31 + static_cast<unsigned char>(text[b]);
    const double w = 0.01 + 0.98 * fitting::SeededStream(seed).uniform();
    out.at(t, 0) = std::log(w);
    out.at(t, 1) = std::log1p(-w);
  }
  return out;
}

TEST(DealtCode, ProbabilitiesOfAllTextsSumToAtMostOne) {
  for (const std::size_t size : {1u, 2u, 5u, 10u}) {
    for (const double share : {0.0, 0.1, 0.5, 0.9}) {
      double constant = 0, moving = 0;
      for (unsigned bits = 0; bits < 1u << size; ++bits) {
        const std::string text = text_of(bits, size);
        const CodeTable table = letters_and_pairs(text);
        constant += std::exp(-deal_code(table, share, *constant_weights(table, {}))->nats);
        moving += std::exp(-deal_code(table, share, weights_by_prefix(table, text))->nats);
      }
      EXPECT_LE(constant, 1 + 1e-12) << size << " " << share;
      EXPECT_LE(moving, 1 + 1e-12) << size << " " << share;
      EXPECT_GT(constant, 0.25);
    }
  }
}

// Why there is a share: a pool that begins anew at every shared end knows where pieces end before their
// reader.
TEST(DealtCode, ThoseOfPiecesThatBeginAnewSumToMore) {
  constexpr std::size_t kSize = 16;
  double anew = 0, dealt = 0;
  for (unsigned bits = 0; bits < 1u << kSize; ++bits) {
    const CodeTable table = letters_and_pairs(text_of(bits, kSize));
    anew += std::exp(-mix_codes(table, {CombineRule::kLinear, 0, {}})->nats);
    dealt += std::exp(-deal_code(table, 0.2, *constant_weights(table, {}))->nats);
  }
  EXPECT_GT(anew, 1.1);
  EXPECT_LE(dealt, 1 + 1e-12);
}

TEST(DealtCode, OverBytesItIsTheFixedShareAndTheLinearPool) {
  CodeTable table;
  fitting::SeededStream random(5);
  for (std::size_t m = 0; m < 3; ++m) {
    table.lp.emplace_back();
    for (std::size_t t = 0; t < 200; ++t) table.lp.back().push_back(-5 * random.uniform());
  }
  for (std::int64_t t = 0; t < 200; ++t) table.ends.push_back(t + 1);
  for (const double share : {0.0, 0.05, 0.4}) {
    const auto a = deal_code(table, share, *constant_weights(table, {}));
    const auto b = mix_code(table.lp, {CombineRule::kBayes, share, {}});
    ASSERT_TRUE(a && b);
    EXPECT_NEAR(a->nats, b->nats, 1e-9);
    for (std::size_t m = 0; m < 3; ++m) EXPECT_NEAR(a->weights[150][m], b->weights[150][m], 1e-9);
  }
  const auto all = deal_code(table, 1, *constant_weights(table, {1, 2, 5}));
  ASSERT_TRUE(all);
  EXPECT_NEAR(all->nats, mix_code(table.lp, {CombineRule::kLinear, 0, {1, 2, 5}})->nats, 1e-9);
  for (const auto& w : all->weights) EXPECT_NEAR(w[0] + w[1] + w[2], 1, 1e-12);
}

TEST(DealtCode, StaysWithinItsBoundOfTheBestMember) {
  for (unsigned bits = 0; bits < 1024; bits += 7) {
    const std::string text = text_of(bits, 10);
    const CodeTable table = letters_and_pairs(text);
    for (const double share : {0.05, 0.3}) {
      const auto code = deal_code(table, share, *constant_weights(table, {1, 3}));
      ASSERT_TRUE(code);
      for (std::size_t m = 0; m < 2; ++m) {
        double own = 0;
        for (const double lp : table.lp[m]) own -= lp;
        const double steps = static_cast<double>(table.tokens[m]) - 1;
        EXPECT_LE(code->nats, own - std::log(m == 0 ? 0.25 : 0.75) - steps * std::log1p(-share) + 1e-9);
      }
      for (const auto& w : code->weights) EXPECT_NEAR(w[0] + w[1], 1, 1e-12);
    }
  }
}

TEST(DealtCode, RefusesWhatDoesNotFit) {
  const CodeTable table = letters_and_pairs("aabb");
  const fitting::Matrix equal = *constant_weights(table, {});
  EXPECT_FALSE(deal_code(table, -0.1, equal));
  EXPECT_FALSE(deal_code(table, NAN, equal));
  EXPECT_FALSE(deal_code(table, 0.1, *constant_weights(letters_and_pairs("a"), {})));
  fitting::Matrix odd = equal;
  odd.at(1, 0) = -0.1;
  EXPECT_FALSE(deal_code(table, 0.1, odd));
  odd.at(1, 0) = NAN;
  EXPECT_FALSE(deal_code(table, 0.1, odd));
  EXPECT_FALSE(constant_weights(table, {1, 2, 3}));
  EXPECT_FALSE(deal_code({}, 0.1, {}));
}

}  // namespace
}  // namespace consort
