#include "models/alphabet/text_cover.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "models/alphabet/token_masses.h"

namespace consort {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();
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
std::vector<TokenId> TextCover::recent_of(const Node* parent, std::size_t path) const {
  if (parent != nullptr) return parent->recent;
  std::vector<TokenId> out;
  for (std::size_t k = path; k > 0 && out.size() < CanonicalFilter::kWindow; --k)
    out.insert(out.begin(), path_[k - 1]);
  for (std::size_t k = recent_.size(); k > 0 && out.size() < CanonicalFilter::kWindow; --k)
    out.insert(out.begin(), recent_[k - 1]);
  return out;
}

// Counts a state's masses, and makes its complete tokens candidates.
void TextCover::add_state(const CoverWalk& walk, std::size_t at, double log_weight,
                          const std::shared_ptr<const Node>& parent, std::size_t path) {
  const bool on_path = parent == nullptr;
  const std::size_t own = on_path ? ends_[path] - at : 0;
  for (std::size_t d = 0; d < std::max(walk.masses.size(), own); ++d) {
    const double mass = std::max(d < walk.masses.size() ? walk.masses[d] : 0, d < own ? kLeastOnPath : 0);
    if (mass > 0) log_z_[at + d + 1] = log_add(log_z_[at + d + 1], log_weight + std::log(mass));
  }
  std::vector<TokenId> recent;
  if (filter_ != nullptr) recent = recent_of(parent.get(), path);
  for (const CoverWalk::Token& t : walk.tokens) {
    const std::size_t end = at + t.length;
    if (!(t.probability > 0) || end >= text_.size()) continue;
    if (on_path && t.id == path_[path] && end == ends_[path]) continue;  // the path has its own row
    const double weight = log_weight + std::log(t.probability);
    if (filter_ != nullptr && !filter_->allows(recent, t.id))
      log_filtered_[end] = log_add(log_filtered_[end], weight);
    else
      candidates_[end].push_back({parent, path, t.id, weight});
  }
}

void TextCover::add_path() {
  double log_weight = 0;
  for (std::size_t k = 0; k < path_.size(); ++k) {
    const std::size_t at = k == 0 ? 0 : ends_[k - 1];
    add_state(rows_[k], at, log_weight, nullptr, k);
    double probability = kLeastOnPath;
    for (const CoverWalk::Token& t : rows_[k].tokens)
      if (t.id == path_[k] && at + t.length == ends_[k]) probability = std::max(probability, t.probability);
    log_weight += std::log(probability);
  }
}

// The lightest go, as far as the bound allows. All states before `place` have been counted.
void TextCover::prune(std::vector<Candidate>& all, std::size_t place) {
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    if (a.log_weight != b.log_weight) return a.log_weight > b.log_weight;
    const auto key = [](const Candidate& c) {
      return std::tuple(c.parent == nullptr ? -1 : c.parent->id, c.path, c.token);
    };
    return key(a) < key(b);
  });
  double given_up = 0;
  while (!all.empty()) {
    const double weight = std::exp(all.back().log_weight - log_z_[place]);
    if (given_up + weight > options_.prune && all.size() <= static_cast<std::size_t>(options_.max_states)) break;
    given_up += weight;
    log_pruned_[place] = log_add(log_pruned_[place], all.back().log_weight);
    all.pop_back();
  }
}

void TextCover::find_dropped() {
  std::erase_if(alive_, [this](const auto& entry) {
    if (!entry.second.expired()) return false;
    dropped_.push_back(entry.first);
    return true;
  });
}

std::vector<TextCover::Fork> TextCover::next_forks() {
  if (!std::exchange(begun_, true)) add_path();
  for (std::size_t i = 0; i < open_.size(); ++i)
    add_state(rows_[i], open_[i].end, open_[i].log_weight, open_nodes_[i], 0);
  open_.clear();
  open_nodes_.clear();
  while (open_.empty() && !candidates_.empty()) {
    const std::size_t place = candidates_.begin()->first;
    std::vector<Candidate> all = std::move(candidates_.begin()->second);
    candidates_.erase(candidates_.begin());
    prune(all, place);
    for (const Candidate& c : all) {
      auto node = std::make_shared<Node>();
      node->id = static_cast<int>(forks_++);
      node->recent = recent_of(c.parent.get(), c.path);
      node->recent.push_back(c.token);
      if (node->recent.size() > CanonicalFilter::kWindow) node->recent.erase(node->recent.begin());
      open_.push_back({node->id, c.parent == nullptr ? -1 : c.parent->id, c.path, c.token, place, c.log_weight});
      alive_.emplace_back(node->id, node);
      open_nodes_.push_back(std::move(node));
    }
  }
  find_dropped();
  rows_.assign(open_.size(), {});
  return open_;
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
