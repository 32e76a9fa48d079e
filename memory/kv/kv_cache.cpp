#include "memory/kv/kv_cache.h"

#include <fmt/format.h>

#include <atomic>
#include <cassert>
#include <cstring>
#include <unordered_set>
#include <utility>

#include "memory/base/checked.h"
#include "memory/kv/page_store.h"
#include "memory/kv/prefix_tree.h"

namespace consort {

struct KvCache::Impl {
  Impl(DevicePool& pool, KvLayout layout, std::string model, std::size_t max_bytes)
      : layout(layout),
        store(pool, Owner{"kv", std::move(model)}, layout.page_bytes(), max_bytes),
        tree(store) {}

  // A fresh page, after evicting remembered ones if need be. A freed page may leave with its whole region, so
  // one eviction is not always enough.
  Result<PageId> take() {
    for (;;) {
      auto id = store.take();
      if (id || id.error().kind != ErrorKind::kMemory || evict(1) == 0) return id;
    }
  }
  std::size_t evict(std::size_t pages) {
    const std::size_t freed = tree.evict(pages);
    in_tree.store(tree.size(), std::memory_order_relaxed);
    return freed;
  }

  KvLayout layout;
  PageStore store;
  PrefixTree tree;
  std::unordered_set<KvSequence*> sequences;  // live ones, for the integrity check
  std::atomic<std::size_t> in_tree{0};
  std::atomic<std::uint64_t> copies{0};
};

// ---- KvSequence -----------------------------------------------------------------------------------------

KvSequence::KvSequence(KvSequence&& other) noexcept {
  *this = std::move(other);
}

KvSequence& KvSequence::operator=(KvSequence&& other) noexcept {
  if (this == &other) return *this;
  release();
  cache_ = std::exchange(other.cache_, nullptr);
  page_ids_ = std::move(other.page_ids_);
  page_data_ = std::move(other.page_data_);
  other.page_ids_.clear();
  other.page_data_.clear();
  length_ = std::exchange(other.length_, 0);
  if (cache_ != nullptr) {
    cache_->impl_->sequences.erase(&other);
    cache_->impl_->sequences.insert(this);
  }
  return *this;
}

KvSequence::~KvSequence() {
  release();
}

void KvSequence::release() {
  if (cache_ == nullptr) return;
  for (PageId id : page_ids_) cache_->impl_->store.drop_reference(id);
  cache_->impl_->sequences.erase(this);
  page_ids_.clear();
  page_data_.clear();
  length_ = 0;
  cache_ = nullptr;
}

Status KvSequence::reserve(int tokens) {
  if (cache_ == nullptr || tokens < 0 || tokens > (1 << 30) - length_)
    return fail(ErrorKind::kInvalid, fmt::format("cannot reserve {} tokens", tokens));
  KvCache::Impl& impl = *cache_->impl_;
  const std::size_t want = KvCache::pages_for(static_cast<std::size_t>(length_ + tokens));
  const std::size_t partial =
      static_cast<std::size_t>(length_ / kPageTokens);  // the page the next token is in
  const bool copy = tokens > 0 && length_ % kPageTokens != 0 && impl.store.references(page_ids_[partial]) > 1;
  const std::size_t more = want > page_ids_.size() ? want - page_ids_.size() : 0;

  std::vector<PageId> taken;
  while (taken.size() < more + (copy ? 1 : 0)) {
    auto id = impl.take();
    if (!id) {
      for (PageId t : taken) impl.store.drop_reference(t);
      return forward_error(id);
    }
    taken.push_back(*id);
  }
  if (copy) {
    const PageId fresh = taken.back();
    taken.pop_back();
    std::memcpy(impl.store.data(fresh), page_data_[partial], impl.layout.page_bytes());
    impl.store.drop_reference(page_ids_[partial]);
    page_ids_[partial] = fresh;
    page_data_[partial] = impl.store.data(fresh);
    ++impl.copies;
  }
  for (PageId id : taken) {
    page_ids_.push_back(id);
    page_data_.push_back(impl.store.data(id));
  }
  return {};
}

void KvSequence::truncate(int length) {
  if (cache_ == nullptr || length < 0 || length > length_) return;
  const std::size_t keep = KvCache::pages_for(static_cast<std::size_t>(length));
  for (std::size_t i = keep; i < page_ids_.size(); ++i) cache_->impl_->store.drop_reference(page_ids_[i]);
  if (keep < page_ids_.size()) {
    page_ids_.resize(keep);
    page_data_.resize(keep);
  }
  length_ = length;
}

KvSequence KvSequence::fork() const {
  KvSequence out;
  if (cache_ == nullptr) return out;
  out = cache_->new_sequence();
  const std::size_t pages = KvCache::pages_for(static_cast<std::size_t>(length_));
  out.page_ids_.assign(page_ids_.begin(), page_ids_.begin() + static_cast<std::ptrdiff_t>(pages));
  out.page_data_.assign(page_data_.begin(), page_data_.begin() + static_cast<std::ptrdiff_t>(pages));
  out.length_ = length_;
  for (PageId id : out.page_ids_) cache_->impl_->store.add_reference(id);
  return out;
}

KvView KvSequence::view() const {
  return {page_data_.data(), cache_ != nullptr ? cache_->impl_->layout : KvLayout{}};
}

// ---- KvCache --------------------------------------------------------------------------------------------

Result<std::unique_ptr<KvCache>> KvCache::create(DevicePool& pool, KvLayout layout, std::string model_id,
                                                 std::size_t max_bytes) {
  const auto bad = [&](std::string why) { return fail(ErrorKind::kInvalid, std::move(why), model_id); };
  constexpr int kMost = 1 << 16;  // far above any model; keeps the page's size from overflowing
  if (layout.layers < 1 || layout.kv_heads < 1 || layout.head_dim < 1 || layout.layers > kMost ||
      layout.kv_heads > kMost || layout.head_dim > kMost || is_block_format(layout.dtype))
    return bad(fmt::format("impossible KV layout: {} layers, {} heads of {} elements, {}", layout.layers,
                           layout.kv_heads, layout.head_dim, dtype_name(layout.dtype)));
  const RegionShape shape = region_shape(layout.page_bytes());
  if (max_bytes < shape.granules * kGranuleBytes)
    return bad(fmt::format("a KV budget of {} MiB holds no page region of {} MiB", max_bytes >> 20,
                           shape.granules * kGranuleBytes >> 20));
  auto impl = std::make_unique<Impl>(pool, layout, std::move(model_id), max_bytes);
  return std::unique_ptr<KvCache>(new KvCache(std::move(impl)));
}

KvCache::KvCache(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

KvCache::~KvCache() {
  while (!impl_->sequences.empty()) (*impl_->sequences.begin())->release();
}

const KvLayout& KvCache::layout() const {
  return impl_->layout;
}

KvSequence KvCache::new_sequence() {
  KvSequence out;
  out.cache_ = this;
  impl_->sequences.insert(&out);
  return out;
}

KvSequence KvCache::match(std::uint64_t key, std::span<const std::int32_t> tokens) {
  KvSequence out = new_sequence();
  if (tokens.empty()) return out;
  out.page_ids_ = impl_->tree.match(key, tokens, tokens.size() - 1);
  for (PageId id : out.page_ids_) {
    impl_->store.add_reference(id);
    out.page_data_.push_back(impl_->store.data(id));
  }
  out.length_ = static_cast<int>(out.page_ids_.size()) * kPageTokens;
  return out;
}

void KvCache::insert(std::uint64_t key, std::span<const std::int32_t> tokens, const KvSequence& sequence) {
  assert(sequence.cache_ == this && static_cast<std::size_t>(sequence.length_) >= tokens.size());
  if (sequence.cache_ != this) return;
  const std::size_t held = std::min(tokens.size(), static_cast<std::size_t>(sequence.length_));
  impl_->tree.insert(key, tokens.first(held), sequence.page_ids_);
  impl_->in_tree.store(impl_->tree.size(), std::memory_order_relaxed);
}

std::size_t KvCache::evict(std::size_t pages) {
  return impl_->evict(pages);
}

void KvCache::clear_prefixes() {
  impl_->tree.clear();
  impl_->in_tree.store(0, std::memory_order_relaxed);
}

Status KvCache::check_integrity() const {
  std::vector<std::uint32_t> holders(impl_->store.id_range());
  for (const KvSequence* s : impl_->sequences) {
    if (s->cache_ != this) return fail(ErrorKind::kCorrupt, "a KV sequence is listed in a cache it left");
    if (s->page_ids_.size() < pages_for(static_cast<std::size_t>(s->length_)))
      return fail(ErrorKind::kCorrupt,
                  fmt::format("a KV sequence of {} tokens has {} pages", s->length_, s->page_ids_.size()));
    for (std::size_t i = 0; i < s->page_ids_.size(); ++i) {
      const PageId id = s->page_ids_[i];
      if (id >= holders.size())
        return fail(ErrorKind::kCorrupt, fmt::format("KV page {} does not exist", id));
      if (s->page_data_[i] != impl_->store.data(id))
        return fail(ErrorKind::kCorrupt, fmt::format("KV page {}: a sequence points elsewhere", id));
      ++holders[id];
    }
  }
  impl_->tree.count_holders(holders);
  return impl_->store.check(holders);
}

KvStats KvCache::stats() const {
  KvStats s;
  s.pages_total = impl_->store.pages_total();
  s.pages_free = impl_->store.pages_free();
  s.pages_shared = impl_->store.pages_shared();
  s.pages_in_tree = impl_->in_tree.load(std::memory_order_relaxed);
  s.bytes_committed = impl_->store.bytes_committed();
  s.copies = impl_->copies.load(std::memory_order_relaxed);
  return s;
}

std::size_t KvCache::pages_obtainable() const {
  return impl_->store.pages_free() + impl_->tree.evictable() + impl_->store.pages_not_carved();
}

std::size_t KvCache::pages_capacity() const { return impl_->store.capacity(); }

}  // namespace consort
