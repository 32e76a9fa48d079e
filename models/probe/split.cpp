#include "models/probe/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace consort {
namespace {

std::uint64_t next_random(std::uint64_t& state) {  // splitmix64
  std::uint64_t z = state += 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

std::vector<std::size_t> shuffled(std::size_t n, std::uint64_t seed) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::uint64_t state = seed;
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[next_random(state) % i]);
  return order;
}

// The examples of each group, groups in the order of their first example.
std::vector<std::vector<std::size_t>> members(std::span<const std::uint32_t> groups) {
  std::map<std::uint32_t, std::size_t> places;
  std::vector<std::vector<std::size_t>> out;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto [at, fresh] = places.emplace(groups[i], out.size());
    if (fresh) out.emplace_back();
    out[at->second].push_back(i);
  }
  return out;
}

}  // namespace

std::vector<int> assign_folds(std::size_t examples, std::span<const std::int32_t> classes, int folds,
                              std::uint64_t seed) {
  std::vector<std::size_t> order = shuffled(examples, seed);
  if (!classes.empty())
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return classes[a] < classes[b]; });
  std::vector<int> fold(examples);
  for (std::size_t i = 0; i < examples; ++i)
    fold[order[i]] = static_cast<int>(i % static_cast<std::size_t>(folds));
  return fold;
}

std::vector<int> assign_group_folds(std::span<const std::uint32_t> groups, int folds, std::uint64_t seed) {
  const auto lists = members(groups);
  std::vector<std::size_t> order = shuffled(lists.size(), seed);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lists[a].size() > lists[b].size(); });
  std::vector<std::size_t> sizes(static_cast<std::size_t>(folds), 0);
  std::vector<int> fold(groups.size());
  for (const std::size_t g : order) {
    const auto least = std::min_element(sizes.begin(), sizes.end());
    *least += lists[g].size();
    for (const std::size_t i : lists[g]) fold[i] = static_cast<int>(least - sizes.begin());
  }
  return fold;
}

std::vector<bool> hold_aside(std::size_t examples, double share, std::uint64_t seed) {
  const auto count = static_cast<std::size_t>(std::lround(static_cast<double>(examples) * share));
  std::vector<bool> aside(examples, false);
  const std::vector<std::size_t> order = shuffled(examples, seed);
  for (std::size_t i = 0; i < std::min(count, examples); ++i) aside[order[i]] = true;
  return aside;
}

std::vector<bool> hold_groups_aside(std::span<const std::uint32_t> groups, double share) {
  auto lists = members(groups);
  std::stable_sort(lists.begin(), lists.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  const double room = static_cast<double>(groups.size()) * (1 - share);
  std::size_t fitted = 0;
  std::vector<bool> aside(groups.size(), false);
  for (const auto& list : lists) {
    if (static_cast<double>(fitted + list.size()) <= room) {
      fitted += list.size();
      continue;
    }
    for (const std::size_t i : list) aside[i] = true;
  }
  return aside;
}

}  // namespace consort
