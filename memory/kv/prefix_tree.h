// PrefixTree: remembered token runs, one node a page of kPageTokens tokens. A node is found by comparing its
// tokens, never by their hash alone. Leaves are evicted least recently used first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "memory/kv/kv_layout.h"
#include "memory/kv/page_store.h"

namespace consort {

// Owned by KvCache; each node holds one reference to its page. Thread: the lane's.
class PrefixTree {
 public:
  explicit PrefixTree(PageStore& store) : store_(store) {}
  ~PrefixTree() { clear(); }
  PrefixTree(const PrefixTree&) = delete;

  // Pages of the longest remembered prefix of `tokens` in whole pages, at most `max_tokens` tokens. No
  // reference is added. Every node on the way counts as used now.
  std::vector<PageId> match(std::uint64_t key, std::span<const std::int32_t> tokens, std::size_t max_tokens);
  // Remembers pages[i] for the i-th page of tokens; a run that is known already keeps the page it has.
  void insert(std::uint64_t key, std::span<const std::int32_t> tokens, std::span<const PageId> pages);
  // Forgets least recently used leaves whose page nobody else holds, until `pages` are free. Returns how
  // many.
  std::size_t evict(std::size_t pages);
  void clear();
  std::size_t size() const { return size_; }
  // Nodes whose page only the tree holds: what evict() could free in the end.
  std::size_t evictable() const;
  void count_holders(std::vector<std::uint32_t>& holders) const;

 private:
  using PageTokens = std::array<std::int32_t, kPageTokens>;
  struct Hash {
    std::size_t operator()(const PageTokens& tokens) const;
  };
  struct Node;
  using Children = std::unordered_map<PageTokens, std::unique_ptr<Node>, Hash>;
  struct Node {
    Node* parent = nullptr;  // null at the first page
    std::uint64_t key = 0;
    PageTokens tokens{};
    PageId page = 0;
    std::uint64_t used = 0;
    Children children;
  };
  Children& siblings(Node& node);
  void touch(Node& node);
  void remove_leaf(Node& node);
  template <typename Visit>
  void visit_all(const Children& children, Visit&& visit) const;

  PageStore& store_;
  std::unordered_map<std::uint64_t, Children> roots_;
  std::set<std::pair<std::uint64_t, Node*>> leaves_;  // by last use; ticks are unique
  std::uint64_t tick_ = 0;
  std::size_t size_ = 0;
};

}  // namespace consort
