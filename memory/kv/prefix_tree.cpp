#include "memory/kv/prefix_tree.h"

#include <xxhash.h>

#include <algorithm>

namespace consort {

std::size_t PrefixTree::Hash::operator()(const PageTokens& tokens) const {
  return XXH3_64bits(tokens.data(), sizeof(tokens));
}

PrefixTree::Children& PrefixTree::siblings(Node& node) {
  return node.parent != nullptr ? node.parent->children : roots_[node.key];
}

void PrefixTree::touch(Node& node) {
  const bool leaf = node.children.empty();
  if (leaf) leaves_.erase({node.used, &node});
  node.used = ++tick_;
  if (leaf) leaves_.insert({node.used, &node});
}

std::vector<PageId> PrefixTree::match(std::uint64_t key, std::span<const std::int32_t> tokens,
                                      std::size_t max_tokens) {
  std::vector<PageId> pages;
  const auto root = roots_.find(key);
  if (root == roots_.end()) return pages;
  Children* level = &root->second;
  const std::size_t usable = std::min(tokens.size(), max_tokens);
  for (std::size_t at = 0; at + kPageTokens <= usable; at += kPageTokens) {
    PageTokens run;
    std::copy_n(tokens.begin() + static_cast<std::ptrdiff_t>(at), kPageTokens, run.begin());
    const auto found = level->find(run);
    if (found == level->end()) break;
    touch(*found->second);
    pages.push_back(found->second->page);
    level = &found->second->children;
  }
  return pages;
}

void PrefixTree::insert(std::uint64_t key, std::span<const std::int32_t> tokens,
                        std::span<const PageId> pages) {
  const std::size_t count = std::min(tokens.size() / kPageTokens, pages.size());
  if (count == 0) return;
  Children* level = &roots_[key];
  Node* parent = nullptr;
  for (std::size_t i = 0; i < count; ++i) {
    PageTokens run;
    std::copy_n(tokens.begin() + static_cast<std::ptrdiff_t>(i * kPageTokens), kPageTokens, run.begin());
    auto [place, fresh] = level->try_emplace(run);
    if (fresh) {
      place->second = std::make_unique<Node>();
      Node& node = *place->second;
      node.parent = parent;
      node.key = key;
      node.tokens = run;
      node.page = pages[i];
      store_.add_reference(node.page);
      ++size_;
      if (parent != nullptr) leaves_.erase({parent->used, parent});
    }
    touch(*place->second);
    parent = place->second.get();
    level = &parent->children;
  }
}

void PrefixTree::remove_leaf(Node& node) {
  leaves_.erase({node.used, &node});
  store_.drop_reference(node.page);
  --size_;
  Node* parent = node.parent;
  const std::uint64_t key = node.key;
  siblings(node).erase(PageTokens(node.tokens));  // destroys `node`
  if (parent == nullptr) {
    if (roots_[key].empty()) roots_.erase(key);
  } else if (parent->children.empty()) {
    leaves_.insert({parent->used, parent});
  }
}

std::size_t PrefixTree::evict(std::size_t pages) {
  std::size_t freed = 0;
  auto at = leaves_.begin();
  while (freed < pages && at != leaves_.end()) {
    Node& node = *at->second;
    if (store_.references(node.page) > 1) {  // a running sequence reads it
      ++at;
      continue;
    }
    remove_leaf(node);
    ++freed;
    at = leaves_.begin();  // its parent may be the oldest leaf now
  }
  return freed;
}

template <typename Visit>
void PrefixTree::visit_all(const Children& children, Visit&& visit) const {
  std::vector<const Children*> open{&children};  // no recursion: a chain is as deep as a context is long
  while (!open.empty()) {
    const Children* level = open.back();
    open.pop_back();
    for (const auto& [tokens, node] : *level) {
      visit(*node);
      if (!node->children.empty()) open.push_back(&node->children);
    }
  }
}

void PrefixTree::clear() {
  while (!leaves_.empty()) remove_leaf(*leaves_.begin()->second);
}

std::size_t PrefixTree::evictable() const {
  std::size_t n = 0;
  for (const auto& [key, children] : roots_)
    visit_all(children, [&](const Node& node) { n += store_.references(node.page) == 1; });
  return n;
}

void PrefixTree::count_holders(std::vector<std::uint32_t>& holders) const {
  for (const auto& [key, children] : roots_)
    visit_all(children, [&](const Node& node) { ++holders[node.page]; });
}

}  // namespace consort
