// Speculation over bytes: texts that one member drafts and all verify are distributed as if they had been
// written symbol by symbol (chi-square), whatever the pool, and the same where that is promised.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>

#include "models/alphabet/byte_vocabulary.h"
#include "scheduler/decode/byte_search.h"

namespace consort {
namespace {

using Row = std::vector<double>;
using Member = std::function<Row(const std::string& text)>;

Row only(const std::map<int, double>& p) {
  Row out(kByteSymbols, 0.0);
  for (const auto& [symbol, probability] : p) out[static_cast<std::size_t>(symbol)] = probability;
  return out;
}

// What they say depends on the text so far; they disagree, and each knows a symbol that the other does not.
const std::vector<Member> kMembers = {
    [](const std::string& t) {
      return t.empty() || t.back() == 'a' ? only({{'a', 0.6}, {'b', 0.3}, {kEndSymbol, 0.1}})
                                          : only({{'a', 0.15}, {'b', 0.8}, {kEndSymbol, 0.05}});
    },
    [](const std::string& t) {
      return t.size() % 2 == 0 ? only({{'a', 0.2}, {'b', 0.3}, {'c', 0.3}, {kEndSymbol, 0.2}})
                               : only({{'b', 0.1}, {'c', 0.9}});
    }};

struct Counts {
  int drafted = 0, kept = 0;
};

std::vector<Row> rows_at(const std::string& text) {
  std::vector<Row> rows;
  for (const Member& m : kMembers) rows.push_back(m(text));
  return rows;
}

// Member 0 drafts `length` symbols at most; it stops where its distribution has nothing above `least`.
std::string speculate(ByteSearch& search, int length, double least, Counts& counts) {
  std::string text;
  while (true) {
    std::string ahead;
    std::vector<int> drafts;
    std::vector<Row> q;
    for (int k = 0; k < length; ++k) {
      Row row = kMembers[0](text + ahead);
      if (*std::max_element(row.begin(), row.end()) < least) break;
      drafts.push_back(search.draft(row, k));
      q.push_back(std::move(row));
      if (drafts.back() == kEndSymbol) break;
      ahead.push_back(static_cast<char>(drafts.back()));
    }
    counts.drafted += static_cast<int>(drafts.size());
    bool all = true;
    for (std::size_t k = 0; k < drafts.size() && all; ++k) {
      const auto rows = rows_at(text);
      const std::vector<std::span<const double>> views(rows.begin(), rows.end());
      const int symbol = search.verify(views, drafts[k], q[k]);
      if (symbol == drafts[k]) ++counts.kept;
      if (search.finished()) return search.best().text.text();
      text.push_back(static_cast<char>(symbol));
      all = symbol == drafts[k];
    }
    if (!all) continue;
    const auto rows = rows_at(text);
    const std::vector<std::span<const double>> views(rows.begin(), rows.end());
    const auto steps = search.next(views);
    if (search.finished()) return search.best().text.text();
    text += steps.front().bytes;
  }
}

std::string plain(ByteSearch& search) {
  std::string text;
  while (true) {
    const auto rows = rows_at(text);
    const std::vector<std::span<const double>> views(rows.begin(), rows.end());
    const auto steps = search.next(views);
    if (search.finished()) return search.best().text.text();
    text += steps.front().bytes;
  }
}

constexpr std::size_t kBytes = 2;

ByteSearchOptions options_of(CombineRule rule, std::uint64_t seed) {
  ByteSearchOptions o;
  o.combiner.rule = rule;
  o.combiner.alpha = rule == CombineRule::kBayes ? 0.1 : 0;
  o.combiner.floor = 1e-3;
  if (rule == CombineRule::kLinear) o.combiner.weights = {0, 1};  // the drafter has no say: one model's text
  o.draw = true;
  o.max_bytes = static_cast<int>(kBytes);
  o.seed = seed;
  return o;
}

// ln P of every text of up to kBytes bytes ('$' at its end: it ended by itself).
void enumerate(const ByteSearchOptions& o, const std::string& text, ByteCombiner combiner, double p,
               std::map<std::string, double>& out) {
  if (text.size() == kBytes) {
    out[text] += p;
    return;
  }
  const auto rows = rows_at(text);
  const std::vector<std::span<const double>> views(rows.begin(), rows.end());
  const auto mixed = combiner.combine(views);
  for (int symbol = 0; symbol < kByteSymbols; ++symbol) {
    const double now = p * mixed[static_cast<std::size_t>(symbol)];
    if (!(now > 0)) continue;
    if (symbol == kEndSymbol) {
      out[text + '$'] += now;
      continue;
    }
    ByteCombiner behind = combiner;
    std::vector<double> said;
    for (const Row& row : rows) said.push_back(std::log(row[static_cast<std::size_t>(symbol)]));
    if (o.combiner.rule == CombineRule::kBayes) (void)behind.observe(said);
    enumerate(o, text + static_cast<char>(symbol), behind, now, out);
  }
}

TEST(Speculation, TextsAreDistributedAsWithoutIt) {
  constexpr int kDraws = 10000;
  for (const CombineRule rule : {CombineRule::kLinear, CombineRule::kLog, CombineRule::kBayes,
                                 CombineRule::kContrast}) {
    std::map<std::string, double> expected, counted;
    const ByteSearchOptions o = options_of(rule, 0);
    enumerate(o, "", *ByteCombiner::create(o.combiner, 2), 1, expected);
    Counts counts;
    for (int seed = 0; seed < kDraws; ++seed) {
      ByteSearch search = *ByteSearch::create(options_of(rule, static_cast<std::uint64_t>(seed)), 2);
      const std::string text = speculate(search, 1 + seed % 4, seed % 3 == 0 ? 0.7 : 0, counts);
      ++counted[text + (search.best().finish == "stop" ? "$" : "")];
    }
    double chi = 0, rest_expected = 0, rest = 0;
    int cells = 0;
    for (const auto& [text, p] : expected) {
      if (kDraws * p < 8) {  // too few for a cell of their own
        rest_expected += kDraws * p;
        rest += counted[text];
        continue;
      }
      chi += std::pow(counted[text] - kDraws * p, 2) / (kDraws * p);
      ++cells;
    }
    if (rest_expected > 8) {
      chi += std::pow(rest - rest_expected, 2) / rest_expected;
      ++cells;
    }
    // One run in a thousand is above (Wilson and Hilferty's cube root).
    const double k = cells - 1, limit = k * std::pow(1 - 2 / (9 * k) + 3.09 * std::sqrt(2 / (9 * k)), 3);
    EXPECT_GT(cells, 5);
    EXPECT_LT(chi, limit) << "rule " << static_cast<int>(rule) << ", " << cells << " cells";
    EXPECT_GT(counts.kept, counts.drafted / 6);
    EXPECT_LT(counts.kept, counts.drafted);
  }
}

TEST(Speculation, TheSameDrawsGiveTheSameText) {
  Counts counts;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    ByteSearchOptions o = options_of(CombineRule::kBayes, seed);
    o.same_draws = true;
    o.max_bytes = 9;
    ByteSearch one = *ByteSearch::create(o, 2), other = *ByteSearch::create(o, 2);
    EXPECT_EQ(speculate(one, 4, 0, counts), plain(other));
    EXPECT_EQ(one.best().logprob, other.best().logprob);
    EXPECT_EQ(one.best().member_logprobs, other.best().member_logprobs);
    o.draw = false;
    ByteSearch greedy = *ByteSearch::create(o, 2), greedy_plain = *ByteSearch::create(o, 2);
    EXPECT_EQ(speculate(greedy, 4, 0, counts), plain(greedy_plain));
  }
}

TEST(Speculation, AMemberOfTheMixtureKeepsAtLeastItsWeight) {
  // Over one symbol: the share of drafts that is taken is sum min(p, q) >= w for p = w q + (1 - w) r.
  Counts counts;
  constexpr int kDraws = 4000;
  for (int seed = 0; seed < kDraws; ++seed) {
    ByteSearchOptions o = options_of(CombineRule::kLinear, static_cast<std::uint64_t>(seed));
    o.combiner.weights = {0.5, 0.5};
    o.max_bytes = 1;
    ByteSearch search = *ByteSearch::create(o, 2);
    (void)speculate(search, 1, 0, counts);
  }
  // q = (.6, .3, 0, .1), p = (.4, .3, .15, .15): sum min = .4 + .3 + .1
  EXPECT_NEAR(counts.kept / static_cast<double>(kDraws), 0.8, 0.03);
}

}  // namespace
}  // namespace consort
