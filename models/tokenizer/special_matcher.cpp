#include "models/tokenizer/special_matcher.h"

#include <algorithm>
#include <bit>
#include <queue>

namespace consort {

namespace {
std::uint32_t mix(std::uint32_t key) {
  return (key * 0x9E3779B1u) ^ (key >> 15);
}
}  // namespace

struct SpecialMatcher::Query {
  std::string_view text;
  bool parse_special;
  std::span<const ByteRange> literal;

  bool touches_literal(std::size_t begin, std::size_t end) const {
    const auto after = std::partition_point(literal.begin(), literal.end(),
                                            [&](const ByteRange& range) { return range.end <= begin; });
    return after != literal.end() && after->begin < end && after->begin < after->end;
  }
};

SpecialMatcher::SpecialMatcher(std::span<const Entry> entries) {
  std::size_t bytes = 0;
  for (const Entry& entry : entries) bytes += entry.text.size();
  edges_.assign(std::bit_ceil(bytes * 2 + 2), Edge{});
  edge_mask_ = static_cast<std::uint32_t>(edges_.size() - 1);
  nodes_.emplace_back();
  for (const Entry& entry : entries) {
    if (entry.text.empty()) continue;
    first_bytes_.set(static_cast<unsigned char>(entry.text[0]));
    std::uint32_t node = 0;
    for (const char c : entry.text) {
      const std::uint32_t key = (node << 8) | static_cast<unsigned char>(c);
      std::uint32_t at = mix(key) & edge_mask_;
      while (edges_[at].key != kNoKey && edges_[at].key != key) at = (at + 1) & edge_mask_;
      if (edges_[at].key == kNoKey) {
        edges_[at] = {key, static_cast<std::uint32_t>(nodes_.size())};
        nodes_.emplace_back();
      }
      node = edges_[at].child;
    }
    (entry.control ? nodes_[node].control : nodes_[node].always) = entry.id;
  }
}

std::uint32_t SpecialMatcher::child(std::uint32_t node, unsigned char byte) const {
  const std::uint32_t key = (node << 8) | byte;
  for (std::uint32_t at = mix(key) & edge_mask_; edges_[at].key != kNoKey; at = (at + 1) & edge_mask_)
    if (edges_[at].key == key) return edges_[at].child;
  return 0;
}

TokenId SpecialMatcher::exact(std::string_view text) const {
  if (nodes_.empty() || text.empty()) return -1;
  std::uint32_t node = 0;
  for (const char c : text)
    if ((node = child(node, static_cast<unsigned char>(c))) == 0) return -1;
  return nodes_[node].control >= 0 ? nodes_[node].control : nodes_[node].always;
}

// The longest token that begins at `begin` and is shorter than `below` bytes; length 0 when there is none.
SpecialMatcher::Candidate SpecialMatcher::longest(const Query& query, std::size_t begin,
                                                  std::size_t below) const {
  Candidate best{begin, 0, -1};
  std::uint32_t node = 0;
  for (std::size_t length = 1; length < below && begin + length <= query.text.size(); ++length) {
    node = child(node, static_cast<unsigned char>(query.text[begin + length - 1]));
    if (node == 0) break;
    const Node& here = nodes_[node];
    if (here.always >= 0)
      best = {begin, length, here.always};
    else if (here.control >= 0 && query.parse_special && !query.touches_literal(begin, begin + length))
      best = {begin, length, here.control};
  }
  return best;
}

void SpecialMatcher::resolve(const Query& query, std::vector<Candidate>& cluster,
                             std::vector<SpecialMatch>& out) const {
  if (cluster.size() == 1) {
    out.push_back({cluster[0].begin, cluster[0].begin + cluster[0].length, cluster[0].id});
    return;
  }
  const auto worse = [](const Candidate& a, const Candidate& b) {
    return a.length != b.length ? a.length < b.length : a.begin > b.begin;
  };
  const std::size_t base = cluster.front().begin, first = out.size();
  std::size_t reach = base;
  for (const Candidate& candidate : cluster) reach = std::max(reach, candidate.begin + candidate.length);
  std::vector<bool> taken(reach - base, false);
  std::priority_queue<Candidate, std::vector<Candidate>, decltype(worse)> queue(worse, std::move(cluster));
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    if (taken[top.begin - base]) continue;
    // A longer token was taken first, so it can only cover this one's beginning or its end.
    if (taken[top.begin + top.length - 1 - base]) {
      const Candidate shorter = longest(query, top.begin, top.length);
      if (shorter.length > 0) queue.push(shorter);
      continue;
    }
    for (std::size_t i = 0; i < top.length; ++i) taken[top.begin + i - base] = true;
    out.push_back({top.begin, top.begin + top.length, top.id});
  }
  std::sort(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
            [](const SpecialMatch& a, const SpecialMatch& b) { return a.begin < b.begin; });
}

std::vector<SpecialMatch> SpecialMatcher::find(std::string_view text, bool parse_special,
                                               std::span<const ByteRange> literal) const {
  std::vector<SpecialMatch> out;
  if (first_bytes_.none()) return out;
  const Query query{text, parse_special, literal};
  constexpr std::size_t kNoLimit = kMaxTextBytes + 1;
  std::vector<Candidate> cluster;
  for (std::size_t at = 0; at < text.size();) {
    if (!first_bytes_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    Candidate candidate = longest(query, at, kNoLimit);
    if (candidate.length == 0) {
      ++at;
      continue;
    }
    cluster.assign(1, candidate);
    std::size_t reach = at + candidate.length;
    for (std::size_t next = at + 1; next < reach; ++next) {
      if (!first_bytes_[static_cast<unsigned char>(text[next])]) continue;
      candidate = longest(query, next, kNoLimit);
      if (candidate.length == 0) continue;
      cluster.push_back(candidate);
      reach = std::max(reach, next + candidate.length);
    }
    resolve(query, cluster, out);
    at = reach;
  }
  return out;
}

}  // namespace consort
