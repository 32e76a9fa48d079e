#include "scheduler/decode/byte_search.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

#include "models/alphabet/byte_vocabulary.h"
#include "scheduler/decode/sampler.h"

namespace consort {
namespace {

// A member: its distribution behind a text.
using Member = std::function<std::vector<double>(const std::string&)>;

std::vector<double> only(std::map<int, double> p) {
  std::vector<double> out(kByteSymbols, 0.0);
  for (const auto& [symbol, value] : p) out[static_cast<std::size_t>(symbol)] = value;
  return out;
}

// Letters a to d and the end, by a hash of the text.
Member hashed(std::uint64_t seed) {
  return [seed](const std::string& text) {
    std::uint64_t h = seed;
    for (const char c : text) h = h * 1315423911u + static_cast<unsigned char>(c);
    std::vector<double> p(kByteSymbols, 0.0);
    double sum = 0;
    for (const int symbol : {int{'a'}, int{'b'}, int{'c'}, int{'d'}, kEndSymbol}) {
      const double weight = 0.05 + counter_uniform(h, static_cast<std::uint64_t>(symbol));
      p[static_cast<std::size_t>(symbol)] = symbol == kEndSymbol ? 0.3 * weight : weight;
      sum += p[static_cast<std::size_t>(symbol)];
    }
    for (double& v : p) v /= sum;
    return p;
  };
}

// Plays the members' sessions.
struct Play {
  Play(ByteSearchOptions options, std::vector<Member> m)
      : members(std::move(m)), search(*ByteSearch::create(std::move(options), members.size())) {}
  bool step() {
    std::vector<std::vector<double>> rows(members.size());
    for (std::size_t m = 0; m < members.size(); ++m)
      for (const std::string& text : texts) {
        const auto p = members[m](text);
        rows[m].insert(rows[m].end(), p.begin(), p.end());
      }
    const std::vector<std::span<const double>> views(rows.begin(), rows.end());
    std::vector<std::string> next;
    for (const StrandStep& s : search.next(views))
      next.push_back(texts[static_cast<std::size_t>(s.from)] + s.bytes);
    texts = std::move(next);
    EXPECT_EQ(texts.size(), search.strands());
    return !texts.empty();
  }
  const ByteText& run() {
    while (step()) {
    }
    EXPECT_TRUE(search.finished());
    return search.best();
  }
  std::vector<Member> members;
  ByteSearch search;
  std::vector<std::string> texts = {""};
};

ByteSearchOptions linear(std::vector<double> weights) {
  ByteSearchOptions o;
  o.combiner = {CombineRule::kLinear, 0, std::move(weights)};
  o.max_bytes = 12;
  return o;
}

double log_probability(const std::vector<Member>& members, const std::vector<double>& w,
                       const std::string& text, int symbol) {
  double p = 0;
  for (std::size_t m = 0; m < members.size(); ++m)
    p += w[m] * members[m](text)[static_cast<std::size_t>(symbol)];
  return std::log(p);
}

TEST(StepSignals, MeasureTheCombination) {
  const std::vector<double> a = {0.5, 0.5, 0}, b = {0, 0.5, 0.5}, mean = {0.25, 0.5, 0.25};
  const std::vector<std::span<const double>> both = {a, b};
  const auto s = measure_step(mean, both, std::vector<double>{0.5, 0.5});
  EXPECT_NEAR(s.entropy, 1.5 * std::log(2), 1e-15);
  EXPECT_NEAR(s.disagreement, 0.5 * std::log(2), 1e-15);
  EXPECT_NEAR(s.confidence, 0.5, 1e-15);
  EXPECT_NEAR(s.margin, 0.25, 1e-15);
  const auto same = measure_step(a, std::vector<std::span<const double>>{a, a}, std::vector<double>{0.3, 0.7});
  EXPECT_NEAR(same.disagreement, 0, 1e-15);
  EXPECT_NEAR(same.margin, 0, 1e-15);
}

TEST(ByteSearch, GreedyTakesTheLikeliestByteOfTheCombination) {
  const std::vector<Member> members = {hashed(1), hashed(2)};
  const std::vector<double> w = {0.4, 0.6};
  Play play(linear(w), members);
  const ByteText& got = play.run();
  std::string text;
  double sum = 0, own = 0;
  while (text.size() < 12) {
    int best = 0;
    for (int s = 0; s < kByteSymbols; ++s)
      if (log_probability(members, w, text, s) > log_probability(members, w, text, best)) best = s;
    sum += log_probability(members, w, text, best);
    own += std::log(members[0](text)[static_cast<std::size_t>(best)]);
    if (best == kEndSymbol) break;
    text.push_back(static_cast<char>(best));
  }
  EXPECT_EQ(got.text.text(), text);
  EXPECT_NEAR(got.logprob, sum, 1e-12);
  EXPECT_NEAR(got.member_logprobs[0], own, 1e-12);
  EXPECT_EQ(got.finish, text.size() < 12 ? "stop" : "length");
}

// The likeliest ended text of at most `left` more bytes, by looking at all.
void exhaust(const std::vector<Member>& members, const std::vector<double>& w, const std::string& text,
             double logprob, int left, std::pair<double, std::string>& best) {
  const double ended = logprob + log_probability(members, w, text, kEndSymbol);
  best = std::max(best, {ended, text});
  if (left == 0) return;
  for (const char c : {'a', 'b', 'c', 'd'})
    exhaust(members, w, text + c, logprob + log_probability(members, w, text, c), left - 1, best);
}

TEST(ByteSearch, AWideBeamFindsTheLikeliestText) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<Member> members = {hashed(seed), hashed(seed + 100)};
    const std::vector<double> w = {0.5, 0.5};
    std::pair<double, std::string> best{-1e9, ""};
    exhaust(members, w, "", 0, 5, best);
    ByteSearchOptions options = linear(w);
    options.beams = 64;
    Play play(options, members);
    const ByteText& got = play.run();
    EXPECT_GE(got.logprob, best.first - 1e-12);
    if (got.bytes <= 5 && got.finish == "stop") {
      EXPECT_EQ(got.text.text(), best.second);
    }
    options.beams = 1;
    Play greedy(options, members);
    const ByteText& plain = greedy.run();
    if (plain.finish == "stop") {
      EXPECT_LE(plain.logprob, got.logprob + 1e-12);
    }
  }
}

TEST(ByteSearch, DrawnBytesFollowTheCombination) {
  const std::vector<Member> members = {[](const std::string&) { return only({{'x', 0.7}, {'y', 0.3}}); },
                                       [](const std::string&) { return only({{'y', 0.5}, {kEndSymbol, 0.5}}); }};
  std::map<std::string, int> counts;
  constexpr int kDraws = 5000;
  for (int seed = 0; seed < kDraws; ++seed) {
    ByteSearchOptions options = linear({0.5, 0.5});
    options.draw = true;
    options.max_bytes = 1;
    options.seed = static_cast<std::uint64_t>(seed);
    ++counts[Play(options, members).run().text.text()];
  }
  double chi = 0;
  for (const auto& [text, p] : std::map<std::string, double>{{"x", 0.35}, {"y", 0.4}, {"", 0.25}}) {
    const double expected = kDraws * p, got = counts[text];
    chi += (got - expected) * (got - expected) / expected;
  }
  EXPECT_LT(chi, 13.8);  // 2 degrees of freedom, one run in a thousand
}

TEST(ByteSearch, StopStringsEndTheText) {
  ByteSearchOptions options = linear({});
  options.stop = {"ca"};
  const std::string line = "abcab";
  Play play(options, {[&](const std::string& text) {
              return only({{line[text.size() % line.size()], 0.9}, {kEndSymbol, 0.1}});
            }});
  const ByteText& got = play.run();
  EXPECT_EQ(got.text.text(), "ab");
  EXPECT_EQ(got.finish, "stop");
  EXPECT_EQ(got.bytes, 4);
}

TEST(ByteSearch, DoubtIsReadAtBytesAndEndsTheText) {
  const std::vector<Member> members = {
      [](const std::string& t) { return t.size() < 4 ? only({{'a', 1.0}}) : only({{'a', 0.5}, {'b', 0.5}}); },
      [](const std::string&) { return only({{'a', 1.0}}); }};
  ByteSearchOptions options = linear({0.5, 0.5});
  options.signals_at = {2, 6};
  options.trajectory = true;
  Play play(options, members);
  const ByteText& got = play.run();
  EXPECT_EQ(got.finish, "length");
  ASSERT_EQ(got.readings.size(), 2u);
  EXPECT_EQ(got.readings[0].mean.entropy, 0);
  EXPECT_EQ(got.readings[1].byte, 6);
  const double h = -0.75 * std::log(0.75) - 0.25 * std::log(0.25);
  EXPECT_NEAR(got.readings[1].mean.entropy, 2 * h / 6, 1e-12);
  EXPECT_NEAR(got.readings[1].mean.disagreement, 2 * (h - 0.5 * std::log(2)) / 6, 1e-12);
  EXPECT_EQ(got.trajectory.size(), 12u);
  options.doubt = DoubtBound{3, 0.1, {}, {}, {}};
  Play doubting(options, members);
  const ByteText& stopped = doubting.run();
  EXPECT_EQ(stopped.finish, "doubt");
  EXPECT_EQ(stopped.bytes, 5);
}

TEST(ByteSearch, AMemberCanGo) {
  Play play(linear({0.5, 0.5}), {[](const std::string&) { return only({{'a', 1.0}}); },
                                 [](const std::string&) { return only({{'b', 0.6}, {'a', 0.4}}); }});
  EXPECT_TRUE(play.step());
  EXPECT_EQ(play.search.best().text.text(), "a");
  play.search.drop_member(0);
  EXPECT_TRUE(play.step());
  EXPECT_EQ(play.search.best().text.text(), "ab");
  play.search.end_by_length();
  EXPECT_EQ(play.search.best().finish, "length");
}

TEST(ByteSearch, OptionsAreChecked) {
  ByteSearchOptions options = linear({});
  options.beams = 2;
  options.draw = true;
  EXPECT_FALSE(ByteSearch::create(options, 2));
  options = linear({1, 2, 3});
  EXPECT_FALSE(ByteSearch::create(options, 2));
  options = linear({});
  options.max_bytes = 0;
  EXPECT_FALSE(ByteSearch::create(options, 2));
  options = linear({});
  options.stop = {""};
  EXPECT_FALSE(ByteSearch::create(options, 2));
}

}  // namespace
}  // namespace consort
