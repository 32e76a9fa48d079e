#include "models/alphabet/text_cover.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "models/alphabet/token_masses.h"

namespace consort {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();
// Levels off the path: a fork of so many tokens in a row that the tokenizer would not make carries nothing.
constexpr int kMaxLevels = 64;
// The text's own tokens never count less: a row's weights below 1e-38 of the largest are rounded to 0.
constexpr double kLeastOnPath = 1e-38;

double log_add(double a, double b) {
  if (a < b) std::swap(a, b);
  return b == kNothing ? a : a + std::log1p(std::exp(b - a));
}

}  // namespace

CoverWalk walk_row(const ByteVocabulary& vocabulary, std::span<const float> weights, double sum,
                   std::string_view text) {
  CoverWalk walk;
  TrieNode node = vocabulary.root();
  if (!text.empty())
    node = vocabulary.child(node, static_cast<std::uint8_t>(text.front()));
  else
    node.end = node.begin;
  const TokenMasses masses(vocabulary, weights, sum, node);
  walk.end = masses.end();
  while (!node.empty()) {
    walk.masses.push_back(masses.mass(node));
    const std::uint32_t complete = vocabulary.complete(node);
    for (std::uint32_t place = node.begin; place < complete; ++place)
      walk.tokens.push_back({vocabulary.token(place), node.depth, masses.token(place)});
    if (node.depth == text.size()) break;
    node = vocabulary.child(node, static_cast<std::uint8_t>(text[node.depth]));
  }
  return walk;
}

TextCover::TextCover(std::string_view text, std::vector<TokenId> path, std::vector<std::uint32_t> ends,
                     std::span<const TokenId> recent, CoverOptions options, const CanonicalFilter* filter)
    : text_(text),
      path_(std::move(path)),
      ends_(std::move(ends)),
      recent_(recent.begin(), recent.end()),
      options_(options),
      filter_(filter),
      rows_(path_.size()),
      log_z_(text.size() + 1, kNothing),
      log_pruned_(text.size() + 1, kNothing),
      log_filtered_(text.size() + 1, kNothing) {
  log_z_[0] = 0;
}

std::string_view TextCover::behind(std::size_t path_row) const {
  return text_.substr(path_row == 0 ? 0 : ends_[path_row - 1]);
}

// The last few tokens of a state, for the filter.
std::vector<TokenId> TextCover::recent_of(std::size_t path, std::span<const TokenId> chain) const {
  std::vector<TokenId> out(chain.begin(), chain.end());
  for (std::size_t k = path; k > 0 && out.size() < CanonicalFilter::kWindow; --k)
    out.insert(out.begin(), path_[k - 1]);
  for (std::size_t k = recent_.size(); k > 0 && out.size() < CanonicalFilter::kWindow; --k)
    out.insert(out.begin(), recent_[k - 1]);
  return out;
}

// Counts a state's masses, and makes its complete tokens candidates of the next level.
void TextCover::add_state(const CoverWalk& walk, std::size_t at, double log_weight, std::size_t path,
                          std::span<const TokenId> chain, bool on_path) {
  const std::size_t own = on_path ? ends_[path] - at : 0;
  for (std::size_t d = 0; d < std::max(walk.masses.size(), own); ++d) {
    const double mass = std::max(d < walk.masses.size() ? walk.masses[d] : 0, d < own ? kLeastOnPath : 0);
    if (mass > 0) log_z_[at + d + 1] = log_add(log_z_[at + d + 1], log_weight + std::log(mass));
  }
  std::vector<TokenId> recent;
  if (filter_ != nullptr) recent = recent_of(path, chain);
  for (const CoverWalk::Token& t : walk.tokens) {
    const std::size_t end = at + t.length;
    if (!(t.probability > 0) || end >= text_.size()) continue;
    if (on_path && t.id == path_[path] && end == ends_[path]) continue;  // the path has its own row
    const double weight = log_weight + std::log(t.probability);
    if (filter_ != nullptr && !filter_->allows(recent, t.id)) {
      log_filtered_[end] = log_add(log_filtered_[end], weight);
      continue;
    }
    Fork fork{path, {chain.begin(), chain.end()}, end, weight};
    fork.tokens.push_back(t.id);
    candidates_.push_back(std::move(fork));
  }
}

// A level may give up half of what the level before was allowed to, so that all stay within the bound.
void TextCover::prune_level() {
  std::sort(candidates_.begin(), candidates_.end(), [](const Fork& a, const Fork& b) {
    if (a.end != b.end) return a.end < b.end;
    if (a.log_weight != b.log_weight) return a.log_weight > b.log_weight;
    return std::pair(a.path, a.tokens) < std::pair(b.path, b.tokens);
  });
  const double share = options_.prune * std::ldexp(1.0, -depth_);
  for (std::size_t begin = 0; begin < candidates_.size();) {
    std::size_t end = begin;
    const std::size_t place = candidates_[begin].end;
    while (end < candidates_.size() && candidates_[end].end == place) ++end;
    double given_up = 0;
    std::size_t kept = end;
    for (; kept > begin; --kept) {
      const double weight = std::exp(candidates_[kept - 1].log_weight - log_z_[place]);
      const bool fits = kept - begin <= static_cast<std::size_t>(options_.max_states) && depth_ <= kMaxLevels;
      if (given_up + weight > share && fits) break;
      given_up += weight;
      log_pruned_[place] = log_add(log_pruned_[place], candidates_[kept - 1].log_weight);
    }
    for (std::size_t i = begin; i < kept; ++i) level_.push_back(std::move(candidates_[i]));
    begin = end;
  }
  candidates_.clear();
}

std::vector<TextCover::Fork> TextCover::next_level() {
  if (depth_ == 0) {
    double log_weight = 0;
    for (std::size_t k = 0; k < path_.size(); ++k) {
      const std::size_t at = k == 0 ? 0 : ends_[k - 1];
      add_state(rows_[k], at, log_weight, k, {}, true);
      double probability = kLeastOnPath;
      for (const CoverWalk::Token& t : rows_[k].tokens)
        if (t.id == path_[k] && at + t.length == ends_[k]) probability = std::max(probability, t.probability);
      log_weight += std::log(probability);
    }
    rows_.clear();
  } else {
    for (std::size_t i = 0; i < level_.size(); ++i)
      add_state(level_rows_[i], level_[i].end, level_[i].log_weight, level_[i].path, level_[i].tokens, false);
  }
  ++depth_;
  level_.clear();
  prune_level();
  level_rows_.assign(level_.size(), {});
  forks_ += level_.size();
  return level_;
}

std::vector<double> TextCover::kept() const {
  std::vector<double> out;
  for (std::size_t t = 0; t < text_.size(); ++t) out.push_back(1 - std::exp(log_pruned_[t] - log_z_[t]));
  return out;
}

std::vector<double> TextCover::log_probabilities() const {
  std::vector<double> out;
  for (std::size_t t = 0; t < text_.size(); ++t) {
    const double lost = std::exp(log_pruned_[t] - log_z_[t]) + std::exp(log_filtered_[t] - log_z_[t]);
    const double p = log_z_[t + 1] - log_z_[t] - std::log1p(-std::min(lost, 1.0));
    out.push_back(std::min(p, 0.0));
  }
  return out;
}

double TextCover::log_mass() const {
  return log_z_.back();
}

}  // namespace consort
