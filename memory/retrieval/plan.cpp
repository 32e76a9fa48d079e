// From items to the writes that make them so.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <set>

#include <fmt/format.h>

#include "memory/retrieval/retrieval_impl.h"

namespace consort {
namespace {

constexpr std::size_t kMaxItems = 10'000;
constexpr std::size_t kMaxTextBytes = 1u << 20, kMaxIdBytes = 1024, kMaxDimension = 65536, kMaxTokens = 8192;

std::int64_t now_microseconds() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Status check_embedding(const NewItem& item, const std::optional<VectorSpace>& space) {
  if (item.embedding.empty()) return {};
  if (!space) return fail(ErrorKind::kInvalid, "an embedding without the space it belongs to");
  const bool late = space->metric == VectorMetric::kMaxSim;
  const std::size_t rows = item.embedding.size() / space->dimension;
  if (item.embedding.size() % space->dimension != 0 || (rows != 1 && !late) || rows > kMaxTokens) {
    return fail(ErrorKind::kInvalid, fmt::format("an embedding of {} numbers in a space of {}",
                                                 item.embedding.size(), space->dimension));
  }
  if (!comparable(item.embedding))
    return fail(ErrorKind::kInvalid, "an embedding that is not finite, or has numbers above 1e15");
  if (space->metric == VectorMetric::kCosine && inverse_norm(item.embedding) == 0.0f) {
    return fail(ErrorKind::kInvalid, "an embedding of zeros has no cosine");
  }
  return {};
}

Status check_item(const NewItem& item, const std::optional<VectorSpace>& space) {
  if (item.text.empty() || item.text.size() > kMaxTextBytes || !is_utf8(item.text)) {
    return fail(ErrorKind::kInvalid, fmt::format("an item's text is 1 to {} bytes of UTF-8", kMaxTextBytes));
  }
  const Provenance& p = item.provenance;
  for (const std::string* text : {&item.external_id, &p.source, &p.run_id, &p.task, &p.model_digest}) {
    if (text->size() > kMaxIdBytes || !is_utf8(*text)) {
      return fail(ErrorKind::kInvalid,
                  fmt::format("ids and provenance are at most {} bytes of UTF-8", kMaxIdBytes));
    }
  }
  CONSORT_CHECK_OK(check_metadata(item.metadata));
  return check_embedding(item, space);
}

Status check_request(std::string_view name_space, const std::vector<NewItem>& items,
                     const RememberOptions& options) {
  CONSORT_CHECK_OK(check_namespace_name(name_space));
  if (items.size() > kMaxItems) {
    return fail(ErrorKind::kInvalid,
                fmt::format("{} items at once; at most {} are allowed", items.size(), kMaxItems));
  }
  if (options.space) {
    const VectorSpace& s = *options.space;
    CONSORT_CHECK_OK(check_namespace_name(s.name));  // the same rule for names of spaces
    if (s.dimension == 0 || s.dimension > kMaxDimension || s.fingerprint.empty() ||
        s.fingerprint.size() > kMaxIdBytes) {
      return fail(ErrorKind::kInvalid,
                  fmt::format("a vector space needs a fingerprint and 1 to {} dimensions", kMaxDimension));
    }
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (auto status = check_item(items[i], options.space); !status) {
      status.error().where = fmt::format("item {}", i);
      return status;
    }
  }
  return {};
}

struct Planner {
  std::string_view name_space;
  const RememberOptions& options;
  const NamespaceIndex& index;
  std::int64_t now_us = 0;
  MemoryPlan plan;

  void put(const NewItem& item, const ItemId& id, const TextDigest& digest) {
    const auto* have = index.find(id);
    const bool same_text = have && have->digest == digest;
    const bool record = !have || !same_text || differs(*have, item);
    if (record) {
      Item stored{id,
                  item.external_id,
                  item.text,
                  item.metadata,
                  item.provenance,
                  have ? have->created_us : now_us,
                  now_us};
      if (same_text && item.external_id.empty()) stored.provenance = have->provenance;
      plan.writes.push_back({kItemFamily, item_key(name_space, id), encode_item(stored, digest)});
    }
    if (have && !same_text) erase_vectors(id);
    const bool vector = !item.embedding.empty() && !(same_text && same_vector(id, item));
    if (vector) {
      VectorRecord vectors{digest, space_hash(*options.space), {}, {}};
      if (options.space->metric == VectorMetric::kMaxSim)
        vectors.tokens = quantise_tokens(item.embedding, options.space->dimension);
      else
        vectors.values = item.embedding;
      plan.writes.push_back(
          {kVectorFamily, vector_key(name_space, options.space->name, id), encode_vector(vectors)});
    }
    const auto change = !have              ? ItemChange::kCreated
                        : record || vector ? ItemChange::kUpdated
                                           : ItemChange::kUnchanged;
    plan.items.push_back({id, change});
  }

  void forget(const ItemId& id) {
    if (!index.find(id)) {
      plan.items.push_back({id, ItemChange::kUnchanged});
      return;
    }
    plan.writes.push_back({kItemFamily, item_key(name_space, id), "", true});
    erase_vectors(id);
    plan.items.push_back({id, ItemChange::kErased});
  }

 private:
  // Where the text is the identity, who said it first stays; the rest of the record may change.
  static bool differs(const NamespaceIndex::Slot& have, const NewItem& item) {
    return have.metadata != item.metadata ||
           (!item.external_id.empty() && !(have.provenance == item.provenance));
  }
  bool same_vector(const ItemId& id, const NewItem& item) const {
    const VectorIndex* vectors = index.space(options.space->name);
    const auto slot = index.slot_of(id);
    if (!vectors || !slot || !vectors->has(*slot)) return false;
    if (options.space->metric == VectorMetric::kMaxSim)
      return vectors->tokens(*slot) == quantise_tokens(item.embedding, options.space->dimension);
    const auto row = vectors->row(*slot);
    return std::equal(row.begin(), row.end(), item.embedding.begin(), item.embedding.end());
  }
  void erase_vectors(const ItemId& id) {
    for (const auto& [name, vectors] : index.spaces()) {
      plan.writes.push_back({kVectorFamily, vector_key(name_space, name, id), "", true});
    }
  }
};

// The items of one request with what identifies them.
struct Identified {
  std::vector<TextDigest> digests;
  std::vector<ItemId> ids;
  std::map<ItemId, std::size_t> last;  // the place of the last item of each id
};

Identified identify(const std::vector<NewItem>& items) {
  Identified out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    out.digests.push_back(text_digest(items[i].text));
    out.ids.push_back(make_item_id(items[i].external_id, out.digests.back()));
    out.last[out.ids.back()] = i;
  }
  return out;
}

void plan_items(Planner& planner, const std::vector<NewItem>& items, const Identified& names) {
  std::map<TextDigest, ItemId> texts;  // of this request
  for (std::size_t i = 0; i < items.size(); ++i) {
    const ItemId& id = names.ids[i];
    if (names.last.at(id) != i) {  // a later item of this request replaces it
      planner.plan.items.push_back({id, ItemChange::kDuplicate});
      continue;
    }
    if (planner.options.dedupe_text) {
      const auto* other = planner.index.find_text(names.digests[i]);
      const auto [mine, first] = texts.try_emplace(names.digests[i], id);
      const ItemId holder = other ? other->id : mine->second;
      if (holder != id) {
        planner.plan.items.push_back({holder, ItemChange::kDuplicate});
        continue;
      }
    }
    planner.put(items[i], id, names.digests[i]);
  }
}

}  // namespace

std::string_view item_change_name(ItemChange change) {
  switch (change) {
    case ItemChange::kCreated:
      return "created";
    case ItemChange::kUpdated:
      return "updated";
    case ItemChange::kUnchanged:
      return "unchanged";
    case ItemChange::kDuplicate:
      return "duplicate";
    case ItemChange::kErased:
      return "erased";
  }
  return "unchanged";
}

namespace {

// Everything of a plan under the namespace's lock; `source`: items of it that are not named are erased.
Result<MemoryPlan> make_plan(NamespaceEntry& entry, std::string_view name_space,
                             const std::vector<NewItem>& items, const RememberOptions& options,
                             const std::string* source) {
  const Identified names = identify(items);
  const std::unique_lock lock(entry.mutex);
  Planner planner{
      name_space, options, entry.index, options.now_us != 0 ? options.now_us : now_microseconds(), {}};
  const bool vectors =
      std::any_of(items.begin(), items.end(), [](const NewItem& i) { return !i.embedding.empty(); });
  if (vectors) {
    bool is_new = false;
    CONSORT_CHECK_OK(entry.index.reserve_space(*options.space, is_new));
    if (is_new) {
      planner.plan.writes.push_back(
          {kSpaceFamily, space_key(name_space, options.space->name), encode_space(*options.space)});
    }
  }
  plan_items(planner, items, names);
  if (source) {
    std::vector<ItemId> stale;
    for (const auto& slot : entry.index.slots()) {
      if (slot.live && slot.provenance.source == *source && !names.last.contains(slot.id))
        stale.push_back(slot.id);
    }
    std::sort(stale.begin(), stale.end());
    for (const ItemId& id : stale) planner.forget(id);
  }
  return std::move(planner.plan);
}

}  // namespace

Result<MemoryPlan> Retrieval::plan_remember(std::string_view name_space, const std::vector<NewItem>& items,
                                            const RememberOptions& options) {
  CONSORT_CHECK_OK(check_request(name_space, items, options));
  CONSORT_TRY(entry, impl_->entry(name_space));
  return make_plan(*entry, name_space, items, options, nullptr);
}

Result<MemoryPlan> Retrieval::plan_replace_source(std::string_view name_space, std::string_view source,
                                                  const std::vector<NewItem>& items,
                                                  const RememberOptions& options) {
  CONSORT_CHECK_OK(check_request(name_space, items, options));
  CONSORT_TRY(entry, impl_->entry(name_space));
  const std::string kept(source);
  return make_plan(*entry, name_space, items, options, &kept);
}

Result<MemoryPlan> Retrieval::plan_forget(std::string_view name_space, const std::vector<ItemId>& ids) {
  CONSORT_TRY(entry, impl_->entry(name_space));
  const std::shared_lock lock(entry->mutex);
  const RememberOptions options;
  Planner planner{name_space, options, entry->index, 0, {}};
  for (const ItemId& id : ids) planner.forget(id);
  return std::move(planner.plan);
}

}  // namespace consort
