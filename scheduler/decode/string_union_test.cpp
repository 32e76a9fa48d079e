// One step of UniTE by hand, and a row of logits read as strings.
#include "scheduler/decode/string_union.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/alphabet/toy_model.h"
#include "scheduler/decode/next_strings.h"
#include "scheduler/decode/sampler.h"

namespace consort {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

std::vector<double> logs(std::vector<double> p) {
  for (double& v : p) v = std::log(v);
  return p;
}

// A cuts " Norway" into " N" and "orway", so the whole counts there as " N" does; B has it as one token.
// Top 2.
TEST(StringUnion, AStepByHand) {
  const std::vector<std::vector<NextString>> said = {{{" N", std::log(0.6)}, {" the", std::log(0.3)}},
                                                     {{" Norway", std::log(0.5)}, {" the", std::log(0.4)}}};
  const auto strings = string_union(said);
  EXPECT_EQ(strings, (std::vector<std::string>{" N", " Norway", " the"}));
  const std::vector<std::vector<double>> rows = {over_union(logs({0.6, 0.6, 0.3}), 1),
                                                 over_union(logs({0.1, 0.5, 0.4}), 1)};
  const double a[] = {0.4, 0.4, 0.2}, b[] = {0.1, 0.5, 0.4}, even[] = {0.25, 0.45, 0.3},
               mostly_a[] = {0.34, 0.42, 0.24};
  const std::vector<double> half = {0.5, 0.5}, more = {0.8, 0.2};
  const auto mixed = mix_over_union(rows, half), other = mix_over_union(rows, more);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(rows[0][i], a[i], 1e-12);
    EXPECT_NEAR(rows[1][i], b[i], 1e-12);
    EXPECT_NEAR(mixed[i], even[i], 1e-12);
    EXPECT_NEAR(other[i], mostly_a[i], 1e-12);
  }
  EXPECT_EQ(likeliest_of(mixed), 1u);
  EXPECT_EQ(drawn_of(mixed, 0.2), 0u);
  EXPECT_EQ(drawn_of(mixed, 0.6), 1u);
  EXPECT_EQ(drawn_of(mixed, 0.71), 2u);
  EXPECT_EQ(drawn_of(mixed, std::nextafter(1.0, 0.0)), 2u);
  const auto cold = over_union(logs({0.6, 0.6, 0.3}), 0.5);  // squares: 4 : 4 : 1
  EXPECT_NEAR(cold[2], 1.0 / 9, 1e-12);
}

TEST(StringUnion, TiesGoToTheFirstByBytesAndTheEndComesFirst) {
  const std::vector<std::vector<NextString>> said = {{{"b", -1}, {"", -1}},
                                                     {{"\xff", -1}, {"b", -1}, {"a", -1}}};
  EXPECT_EQ(string_union(said), (std::vector<std::string>{"", "a", "b", "\xff"}));
  EXPECT_EQ(likeliest_of(std::vector{0.2, 0.4, 0.4}), 1u);
  const std::vector<std::vector<double>> rows = {over_union(std::vector{kNever, kNever}, 1),
                                                 over_union(std::vector{-3.0, kNever}, 1)};
  EXPECT_EQ(rows[0], (std::vector{0.0, 0.0}));  // says nothing about any of them
  EXPECT_EQ(rows[1], (std::vector{1.0, 0.0}));
  const std::vector<double> second = {0, 1}, first = {1, 0};
  EXPECT_EQ(mix_over_union(rows, second), rows[1]);
  EXPECT_EQ(mix_over_union(rows, first), rows[0]);
}

// Ids 0, 1: control; 2, 3: the end; 4 and 6 both say "b".
class NextStrings : public ::testing::Test {
 protected:
  NextStrings() : vocabulary_(toy::token_bytes(), toy::ends()), logits_(toy::token_bytes().size(), -9.0F) {}
  void set(std::initializer_list<std::pair<TokenId, double>> probabilities) {
    for (const auto& [id, p] : probabilities)
      logits_[static_cast<std::size_t>(id)] = static_cast<float>(std::log(p) + 3);
  }
  std::vector<NextString> top(int k) {
    return likeliest_strings(logits_, log_sum_exp(logits_), vocabulary_, k);
  }
  double share(const NextString& s) { return std::exp(s.logprob_nats + log_sum_exp(logits_) - 3); }
  ByteVocabulary vocabulary_;
  std::vector<float> logits_;
};

TEST_F(NextStrings, TokensOfEqualBytesAndTheEndsCountTogether) {
  set({{0, 0.9}, {2, 0.1}, {3, 0.15}, {4, 0.2}, {6, 0.1}, {5, 0.22}, {8, 0.24}});
  const auto four = top(4);
  ASSERT_EQ(four.size(), 4u);
  const std::pair<const char*, double> expected[] = {{"b", 0.3}, {"", 0.25}, {"ab", 0.24}, {"a", 0.22}};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(four[i].bytes, expected[i].first);
    EXPECT_NEAR(share(four[i]), expected[i].second, 1e-6);
  }
  EXPECT_EQ(top(1).front().bytes, "");  // 0.25 against 0.24 of the likeliest token
  EXPECT_TRUE(top(0).empty());
  // 15 strings of 16 ordinary tokens, and the end; never a control token.
  const auto all = top(100);
  EXPECT_EQ(all.size(), 16u);
  EXPECT_EQ(all.back().bytes, "\xff");  // equals by bytes
}

TEST_F(NextStrings, LookUpsByBytes) {
  set({{2, 0.1}, {3, 0.15}, {4, 0.2}, {6, 0.1}});
  EXPECT_EQ(tokens_of_string(vocabulary_, "b"), (std::vector<TokenId>{4, 6}));
  EXPECT_EQ(tokens_of_string(vocabulary_, ""), (std::vector<TokenId>{2, 3}));
  EXPECT_EQ(tokens_of_string(vocabulary_, "abca"), (std::vector<TokenId>{16}));
  for (const char* none : {"abcb", "abcab", "d", "x long one that no token is"})
    EXPECT_TRUE(tokens_of_string(vocabulary_, none).empty()) << none;
  const double log_sum = log_sum_exp(logits_);
  EXPECT_NEAR(joint_logprob(logits_, log_sum, std::vector<TokenId>{4, 6}) + log_sum - 3, std::log(0.3), 1e-6);
  EXPECT_EQ(joint_logprob(logits_, log_sum, {}), kNever);
  logits_[16] = std::nanf("");
  EXPECT_EQ(joint_logprob(logits_, log_sum, std::vector<TokenId>{16}), kNever);
  EXPECT_EQ(top(100).size(), 15u);
}

}  // namespace
}  // namespace consort
