// Paged KV cache with copy-on-write sharing and a prefix tree.
//
// KvCache hands out pages (kv_layout.h) for the sequences of one model, all models drawing from one pool.
// KvSequence is a sequence's list of pages and its length. Forks share whole pages; a page that two sequences
// hold is copied before one of them writes into it. PrefixTree remembers finished token runs, page by page.
// Pages are carved from regions of the pool under Owner{"kv", model}; a region goes back to the pool as soon
// as none of its pages is held. Thread: the lane's thread only, except stats().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "memory/device/device_pool.h"
#include "memory/kv/kv_layout.h"

namespace consort {

class KvCache;

// Movable, not copyable (fork() is explicit). Gives its pages back when destroyed.
class KvSequence {
 public:
  KvSequence() = default;
  KvSequence(KvSequence&&) noexcept;
  KvSequence& operator=(KvSequence&&) noexcept;
  ~KvSequence();

  int length() const { return length_; }  // tokens whose K and V are written
  // Makes positions [length, length + tokens) writable: takes pages, copies a shared last page. Call it again
  // after fork() before writing.
  // Errors: kMemory when the budget is used up even after eviction from the prefix tree; nothing changes
  // then.
  Status reserve(int tokens);
  void advance(int tokens) { length_ += tokens; }  // after forward wrote them
  void truncate(int length);                       // forgets tokens behind `length`, frees pages
  KvSequence fork() const;                         // shares every page that holds tokens
  KvView view() const;                             // valid until the next reserve/truncate

  std::span<const std::uint32_t> page_ids() const { return page_ids_; }

 private:
  friend class KvCache;
  void release();
  KvCache* cache_ = nullptr;
  std::vector<std::uint32_t> page_ids_;
  std::vector<std::byte*> page_data_;
  int length_ = 0;
};

struct KvStats {
  std::size_t pages_total = 0, pages_free = 0, pages_shared = 0, pages_in_tree = 0;
  std::size_t bytes_committed = 0;
  std::uint64_t copies = 0;  // pages copied because two sequences held them
};

class KvCache {
 public:
  // Grows on demand up to max_bytes (the pool's own limit holds too).
  static Result<std::unique_ptr<KvCache>> create(DevicePool& pool, KvLayout layout, std::string model_id,
                                                 std::size_t max_bytes);
  ~KvCache();
  KvCache(const KvCache&) = delete;
  const KvLayout& layout() const;
  KvSequence new_sequence();

  // Prefix tree. `key` separates what must never share: model, weight epoch, adapter, tenant.
  // match: a sequence holding the longest remembered prefix of `tokens` in whole pages, at most
  // tokens.size() - 1 tokens (the last token must be computed to have logits).
  KvSequence match(std::uint64_t key, std::span<const std::int32_t> tokens);
  // insert: remembers the whole pages of `sequence`, which hold `tokens`.
  void insert(std::uint64_t key, std::span<const std::int32_t> tokens, const KvSequence& sequence);
  // evict: frees up to `pages` pages that only the tree holds, least recently used leaves first.
  std::size_t evict(std::size_t pages);
  void clear_prefixes();
  // Every page is accounted for exactly once: free, or reference count == holders. Errors name the page.
  Status check_integrity() const;
  KvStats stats() const;
  // Pages that reserve() can still hand out under max_bytes: free, evictable, or not carved yet (the pool's
  // own limit may allow fewer). For admission.
  std::size_t pages_obtainable() const;
  std::size_t pages_capacity() const;  // that max_bytes allows in all
  static constexpr std::size_t pages_for(std::size_t tokens) {
    return (tokens + kPageTokens - 1) / kPageTokens;
  }

 private:
  friend class KvSequence;
  struct Impl;
  explicit KvCache(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace consort
