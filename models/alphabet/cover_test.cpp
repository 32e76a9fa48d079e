#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "models/alphabet/byte_cover.h"
#include "models/alphabet/text_cover.h"
#include "models/alphabet/toy_model.h"

namespace consort {
namespace {

const char* const kTexts[] = {"a", "abcabca", "aabcabbcca", "bbbb", "cabcabcabc", "ccccbca", "abcaabcab"};

CoverOptions everything() {
  CoverOptions options;
  options.prune = 0;
  options.max_states = 1 << 20;
  return options;
}

// A ByteCover with the toy model behind it.
struct ToySession {
  explicit ToySession(CoverOptions options) : cover(vocabulary, options, nullptr) {
    const auto root = cover.restart({});
    histories[root] = {};
    supply(root);
  }
  void supply(ByteCover::Handle handle) {
    const auto weights = toy::weights_after(histories[handle]);
    cover.supply(handle, TokenMasses(vocabulary, weights, toy::sum_of(weights), vocabulary.root()));
  }
  ByteCover::Step consume(char c) {
    std::vector<ByteCover::Fork> forks;
    const auto step = cover.consume(static_cast<std::uint8_t>(c), forks);
    for (const auto& fork : forks) {
      histories[fork.child] = histories[fork.parent];
      histories[fork.child].push_back(fork.token);
      supply(fork.child);
    }
    for (const auto handle : cover.take_dropped()) EXPECT_EQ(histories.erase(handle), 1u);
    EXPECT_EQ(histories.size(), cover.states());
    return step;
  }
  ByteVocabulary vocabulary{toy::token_bytes(), toy::ends()};
  ByteCover cover;
  std::map<ByteCover::Handle, std::vector<TokenId>> histories;
};

TEST(ByteVocabulary, RangesAreTheTokensWithAPrefix) {
  const ByteVocabulary v(toy::token_bytes(), toy::ends());
  EXPECT_EQ(v.order().size(), 16u);
  EXPECT_EQ(v.outside().size(), 2u);
  const TrieNode b = v.child(v.root(), 'b');
  EXPECT_EQ(b.end - b.begin, 5u);  // b (two tokens), bc, bca, bcab
  EXPECT_EQ(v.complete(b) - b.begin, 2u);
  const TrieNode bc = v.child(b, 'c');
  EXPECT_EQ(bc.end - bc.begin, 3u);
  EXPECT_EQ(v.bytes(v.child(bc, 'a').begin), "bca");
  EXPECT_TRUE(v.child(bc, 'b').empty());
  EXPECT_TRUE(v.child(v.root(), 'z').empty());
  EXPECT_EQ(v.child(v.root(), 0xff).end, v.root().end);
}

TEST(TokenMasses, RangeSumsKeepTheirPrecision) {
  constexpr int kTokens = 20000;
  std::vector<std::string> bytes;
  for (int i = 0; i < kTokens; ++i)
    bytes.push_back(
        {static_cast<char>('a' + i % 20), static_cast<char>(i / 256), static_cast<char>(i % 256)});
  const ByteVocabulary v(bytes, {});
  std::vector<float> weights;
  for (int i = 0; i < kTokens; ++i) weights.push_back(i % 20 == 3 ? 1e-20F * static_cast<float>(i) : 1.0F);
  const double sum = toy::sum_of(weights);
  const TokenMasses all(v, weights, sum, v.root());
  const TrieNode small = v.child(v.root(), 'd');
  double expected = 0;
  for (int i = 3; i < kTokens; i += 20) expected += static_cast<double>(weights[static_cast<std::size_t>(i)]);
  EXPECT_NEAR(all.mass(small) / (expected / sum), 1, 1e-14);
  EXPECT_NEAR(all.mass(v.root()), 1, 1e-13);
  const TokenMasses part(v, weights, sum, small);
  EXPECT_EQ(part.mass(small), all.mass(small));
  EXPECT_EQ(part.range(small.begin + 5, small.end - 70), all.range(small.begin + 5, small.end - 70));
}

TEST(ByteCover, AgreesWithEnumerationOfAllCovers) {
  for (const std::string text : kTexts) {
    ToySession session(everything());
    std::vector<TokenId> none;
    for (std::size_t t = 0; t <= text.size(); ++t) {
      const std::string before = text.substr(0, t);
      const double known = toy::prefix_probability(before);
      const auto p = session.cover.distribution();
      double sum = 0;
      for (const double v : p) sum += v;
      EXPECT_NEAR(sum, 1, 1e-12);
      for (const char c : {'a', 'b', 'c', '\xff', 'z'})
        EXPECT_NEAR(p[static_cast<std::uint8_t>(c)], toy::prefix_probability(before + c) / known, 1e-12)
            << before << c;
      EXPECT_NEAR(p[kEndSymbol], toy::ending_probability(none, before) / known, 1e-12) << before;
      if (t == text.size()) break;
      const auto step = session.consume(text[t]);
      EXPECT_NEAR(step.probability, p[static_cast<std::uint8_t>(text[t])], 1e-12);
      EXPECT_EQ(step.pruned, 0);
    }
  }
}

TEST(ByteCover, PruningLosesAtMostItsBound) {
  for (const double bound : {0.3, 0.05, 0.001}) {
    CoverOptions options;
    options.prune = bound;
    options.max_states = 1 << 20;
    ToySession session(options);
    for (const char c : std::string("abcabcaabc")) {
      const auto step = session.consume(c);
      EXPECT_LE(step.pruned, bound);
      EXPECT_GT(step.probability, 0);
    }
  }
  CoverOptions narrow;
  narrow.prune = 0;
  narrow.max_states = 2;
  ToySession session(narrow);
  double most = 0;
  for (const char c : std::string("abcabcab")) {
    most = std::max(most, session.consume(c).pruned);
    EXPECT_LE(session.cover.states(), 2u);
  }
  EXPECT_GT(most, 0);  // told, not hidden
}

// Greedy longest-first tokens, as a path to score along.
void cut(std::string_view text, std::vector<TokenId>& path, std::vector<std::uint32_t>& ends) {
  for (std::size_t at = 0; at < text.size();) {
    TokenId best = -1;
    for (TokenId id = 4; id < static_cast<TokenId>(toy::token_bytes().size()); ++id) {
      const std::string& bytes = toy::token_bytes()[static_cast<std::size_t>(id)];
      if (text.substr(at, bytes.size()) == bytes &&
          (best < 0 || bytes.size() > toy::token_bytes()[static_cast<std::size_t>(best)].size()))
        best = id;
    }
    at += toy::token_bytes()[static_cast<std::size_t>(best)].size();
    path.push_back(best);
    ends.push_back(static_cast<std::uint32_t>(at));
  }
}

// All texts of seven letters. Pruned covers meet bytes that none of them expects; with the text's own cut held
// none is impossible, and the text has at least the probability of that cut, at most its own.
TEST(ByteCover, AHeldCutIsNotPruned) {
  constexpr int kLength = 7, kCount = 2187;  // 3 ^ 7
  for (const double bound : {0.3, 0.1, 0.03}) {
    CoverOptions options;
    options.prune = bound;
    options.max_states = 64;
    int impossible = 0;
    for (int n = 0; n < kCount; ++n) {
      std::string text;
      for (int at = 0, rest = n; at < kLength; ++at, rest /= 3) text.push_back(static_cast<char>('a' + rest % 3));
      std::vector<TokenId> path;
      std::vector<std::uint32_t> ends;
      cut(text, path, ends);
      std::vector<OwnToken> held;
      for (std::size_t k = 0; k < path.size(); ++k)
        held.push_back({path[k], ends[k] - (k == 0 ? 0 : ends[k - 1])});
      ToySession session(options), alone(options);
      session.cover.hold(held);
      double mass = 1, own = 1;
      for (std::size_t k = 0; k < path.size(); ++k)
        own *= toy::token_probability(std::span(path).first(k), path[k]);
      for (const char c : text) mass *= session.consume(c).probability;
      EXPECT_GE(mass, own * (1 - 1e-12)) << text;
      EXPECT_LE(mass, toy::prefix_probability(text) / std::pow(1 - bound, kLength)) << text;
      const bool dead =
          std::any_of(text.begin(), text.end(), [&](char c) { return !(alone.consume(c).probability > 0); });
      impossible += dead ? 1 : 0;
    }
    EXPECT_GT(impossible, 0) << bound;  // else this test asks nothing
  }
}

TEST(ByteCover, AByteWithoutTokensLeavesNothing) {
  ToySession session(everything());
  std::vector<ByteCover::Fork> forks;
  EXPECT_EQ(session.cover.consume('z', forks).probability, 0);
  EXPECT_EQ(session.cover.states(), 0u);
  EXPECT_EQ(session.cover.take_dropped().size(), 1u);
}

TextCover score(const ByteVocabulary& v, const std::string& text, CoverOptions options) {
  std::vector<TokenId> path;
  std::vector<std::uint32_t> ends;
  cut(text, path, ends);
  TextCover cover(text, path, ends, {}, options, nullptr);
  const auto walk = [&](std::span<const TokenId> tokens, std::string_view behind) {
    const auto weights = toy::weights_after(tokens);
    return walk_row(v, weights, toy::sum_of(weights), behind);
  };
  for (std::size_t k = 0; k < path.size(); ++k)
    cover.set_path_row(k, walk(std::span(path).first(k), cover.behind(k)));
  std::map<int, std::vector<TokenId>> histories;  // of the forks
  for (auto forks = cover.next_forks(); !forks.empty(); forks = cover.next_forks()) {
    for (std::size_t i = 0; i < forks.size(); ++i) {
      const auto& fork = forks[i];
      std::vector<TokenId> tokens = fork.parent >= 0
                                        ? histories.at(fork.parent)
                                        : std::vector<TokenId>(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(fork.path));
      tokens.push_back(fork.token);
      cover.set_fork_row(i, walk(tokens, cover.behind(fork)));
      histories[fork.id] = std::move(tokens);
    }
    for (const int id : cover.take_dropped()) EXPECT_EQ(histories.erase(id), 1u);
  }
  for (const int id : cover.take_dropped()) EXPECT_EQ(histories.erase(id), 1u);
  EXPECT_TRUE(histories.empty());
  return cover;
}

TEST(TextCover, AgreesWithEnumerationOfAllCovers) {
  const ByteVocabulary v(toy::token_bytes(), toy::ends());
  for (const std::string text : kTexts) {
    const TextCover cover = score(v, text, everything());
    const auto lp = cover.log_probabilities();
    ASSERT_EQ(lp.size(), text.size());
    for (std::size_t t = 0; t < text.size(); ++t)
      EXPECT_NEAR(std::exp(lp[t]),
                  toy::prefix_probability(text.substr(0, t + 1)) / toy::prefix_probability(text.substr(0, t)),
                  1e-12);
    EXPECT_NEAR(std::exp(cover.log_mass()), toy::prefix_probability(text), 1e-12);
    for (const double kept : cover.kept()) EXPECT_EQ(kept, 1);
  }
}

TEST(TextCover, PruningLosesAtMostItsBoundAndNeverAddsProbability) {
  const ByteVocabulary v(toy::token_bytes(), toy::ends());
  for (const double bound : {0.2, 0.01}) {
    for (const std::string text : kTexts) {
      CoverOptions options;
      options.prune = bound;
      options.max_states = 1 << 20;
      const TextCover cover = score(v, text, options);
      for (const double kept : cover.kept()) EXPECT_GE(kept, 1 - bound - 1e-12);
      EXPECT_LE(cover.log_mass(), std::log(toy::prefix_probability(text)) + 1e-12);
    }
  }
}

TEST(CoverOptions, RangesAreChecked) {
  CoverOptions options;
  EXPECT_TRUE(check_cover(options));
  options.prune = std::nan("");
  EXPECT_FALSE(check_cover(options));
  options = {};
  options.max_states = 0;
  EXPECT_FALSE(check_cover(options));
  options = {};
  options.temperature = 0;
  EXPECT_FALSE(check_cover(options));
}

}  // namespace
}  // namespace consort
