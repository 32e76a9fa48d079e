#include "memory/retrieval/retrieval.h"

#include <algorithm>
#include <mutex>

#include <fmt/format.h>

#include "memory/retrieval/retrieval_impl.h"

namespace consort {

Status check_namespace_name(std::string_view name) {
  const bool plain =
      !name.empty() && name.size() <= 255 && is_utf8(name) &&
      std::none_of(name.begin(), name.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; });
  if (plain) return {};
  return fail(ErrorKind::kInvalid,
              "a namespace's name is 1 to 255 bytes of UTF-8 without control characters");
}

Status load_namespace(const Store& store, std::string_view name_space, NamespaceIndex& index) {
  const std::string prefix = namespace_prefix(name_space);
  const StoreSnapshot at = store.snapshot();
  auto items = store.scan(kItemFamily, prefix, {}, at);
  for (; items.valid(); items.next()) {
    CONSORT_TRY(key, parse_item_key(items.key()));
    CONSORT_TRY(stored, decode_item(key.id, items.value()));
    index.put_item(stored);
  }
  CONSORT_CHECK_OK(items.status());
  auto spaces = store.scan(kSpaceFamily, prefix, {}, at);
  for (; spaces.valid(); spaces.next()) {
    CONSORT_TRY(key, parse_space_key(spaces.key()));
    CONSORT_TRY(space, decode_space(key.space, spaces.value()));
    index.put_space(space);
  }
  CONSORT_CHECK_OK(spaces.status());
  auto vectors = store.scan(kVectorFamily, prefix, {}, at);
  for (; vectors.valid(); vectors.next()) {
    CONSORT_TRY(key, parse_vector_key(vectors.key()));
    CONSORT_TRY(record, decode_vector(vectors.value()));
    index.put_vector(key.id, key.space, record);
  }
  return vectors.status();
}

Result<std::shared_ptr<NamespaceEntry>> Retrieval::Impl::entry(std::string_view name_space) {
  CONSORT_CHECK_OK(check_namespace_name(name_space));
  std::shared_ptr<NamespaceEntry> found;
  {
    const std::shared_lock lock(map_mutex);
    if (const auto it = entries.find(name_space); it != entries.end()) found = it->second;
  }
  if (!found) {
    const std::unique_lock lock(map_mutex);
    auto& slot = entries[std::string(name_space)];
    if (!slot) slot = std::make_shared<NamespaceEntry>(options.analyzer);
    found = slot;
  }
  {
    const std::shared_lock lock(found->mutex);
    if (found->loaded) return found;
  }
  // The entry is in the map before the store is read: a commit that the snapshot misses waits for this lock
  // in apply() and is applied after it; one that both see is applied twice, which changes nothing.
  const std::unique_lock lock(found->mutex);
  if (!found->loaded) {
    NamespaceIndex fresh(options.analyzer);
    CONSORT_CHECK_OK(load_namespace(store, name_space, fresh));
    found->index = std::move(fresh);
    found->loaded = true;
  }
  return found;
}

std::vector<std::pair<std::string, std::shared_ptr<NamespaceEntry>>> Retrieval::Impl::loaded_entries() {
  const std::shared_lock lock(map_mutex);
  return {entries.begin(), entries.end()};
}

namespace {

struct NamespaceWrites {
  std::vector<const StoreWrite*> items, spaces, vectors;
};

// Records were encoded by this program a moment ago; one that does not decode is somebody else's mistake and
// is left out, which check() then reports.
void apply_writes(NamespaceIndex& index, const NamespaceWrites& writes) {
  for (const StoreWrite* w : writes.items) {
    const auto key = parse_item_key(w->key);
    if (w->erase) {
      index.erase_item(key->id);
    } else if (const auto stored = decode_item(key->id, w->value)) {
      index.put_item(*stored);
    }
  }
  for (const StoreWrite* w : writes.spaces) {
    const auto key = parse_space_key(w->key);
    if (w->erase) continue;
    if (const auto space = decode_space(key->space, w->value)) index.put_space(*space);
  }
  for (const StoreWrite* w : writes.vectors) {
    const auto key = parse_vector_key(w->key);
    if (w->erase) {
      index.erase_vector(key->id, key->space);
    } else if (const auto record = decode_vector(w->value)) {
      index.put_vector(key->id, key->space, *record);
    }
  }
  index.tidy();
}

}  // namespace

void Retrieval::Impl::apply(const std::vector<StoreWrite>& writes) {
  std::map<std::string, NamespaceWrites> by_namespace;
  for (const StoreWrite& w : writes) {
    if (w.family == kItemFamily) {
      if (const auto key = parse_item_key(w.key)) by_namespace[key->name_space].items.push_back(&w);
    } else if (w.family == kSpaceFamily) {
      if (const auto key = parse_space_key(w.key)) by_namespace[key->name_space].spaces.push_back(&w);
    } else if (w.family == kVectorFamily) {
      if (const auto key = parse_vector_key(w.key)) by_namespace[key->name_space].vectors.push_back(&w);
    }
  }
  for (const auto& [name, group] : by_namespace) {
    std::shared_ptr<NamespaceEntry> found;
    {
      const std::shared_lock lock(map_mutex);
      if (const auto it = entries.find(name); it != entries.end()) found = it->second;
    }
    if (!found) continue;
    const std::unique_lock lock(found->mutex);
    if (found->loaded) apply_writes(found->index, group);
  }
}

Retrieval::Retrieval(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Retrieval::~Retrieval() {
  impl_->store.set_listener(kItemFamily, nullptr);
  impl_->store.set_listener(kVectorFamily, nullptr);
}

Result<std::unique_ptr<Retrieval>> Retrieval::open(Store& store, RetrievalOptions options) {
  for (const char* family : {kItemFamily, kVectorFamily, kSpaceFamily, kSourceFamily}) {
    CONSORT_CHECK_OK(store.ensure_family(family));
  }
  auto impl = std::make_shared<Impl>(store, options);
  // One of the two applies the whole batch, so that an item and its vector appear together.
  store.set_listener(kItemFamily, [impl](const std::vector<StoreWrite>& writes) { impl->apply(writes); });
  store.set_listener(kVectorFamily, [impl](const std::vector<StoreWrite>& writes) {
    const bool has_items = std::any_of(writes.begin(), writes.end(),
                                       [](const StoreWrite& w) { return w.family == kItemFamily; });
    if (!has_items) impl->apply(writes);
  });
  return std::unique_ptr<Retrieval>(new Retrieval(std::move(impl)));
}

Status Retrieval::commit(const MemoryPlan& plan, Durability durability) {
  return impl_->store.commit(plan.writes, durability);
}

Result<std::vector<ItemOutcome>> Retrieval::remember(std::string_view name_space,
                                                     const std::vector<NewItem>& items,
                                                     const RememberOptions& options, Durability durability) {
  CONSORT_TRY(plan, plan_remember(name_space, items, options));
  CONSORT_CHECK_OK(commit(plan, durability));
  return std::move(plan.items);
}

Result<std::vector<ItemOutcome>> Retrieval::forget(std::string_view name_space,
                                                   const std::vector<ItemId>& ids, Durability durability) {
  CONSORT_TRY(plan, plan_forget(name_space, ids));
  CONSORT_CHECK_OK(commit(plan, durability));
  return std::move(plan.items);
}

Result<std::optional<Item>> Retrieval::find(std::string_view name_space, const ItemId& id) {
  CONSORT_CHECK_OK(check_namespace_name(name_space));
  CONSORT_TRY(value, impl_->store.get(kItemFamily, item_key(name_space, id)));
  if (!value) return std::optional<Item>();
  CONSORT_TRY(stored, decode_item(id, *value));
  return std::optional<Item>(std::move(stored.item));
}

Result<std::optional<Item>> Retrieval::find_external(std::string_view name_space,
                                                     std::string_view external_id) {
  if (external_id.empty()) return fail(ErrorKind::kInvalid, "an empty external id");
  return find(name_space, make_item_id(external_id, {}));
}

Result<std::vector<std::string>> Retrieval::namespaces() {
  std::vector<std::string> names;
  std::string from;
  while (true) {
    const auto cursor = impl_->store.scan(kItemFamily, "", from);
    CONSORT_CHECK_OK(cursor.status());
    if (!cursor.valid()) break;
    CONSORT_TRY(key, parse_item_key(cursor.key()));
    names.push_back(key.name_space);
    from = namespace_prefix(key.name_space) + std::string(17, '\xff');  // behind its last item
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<ItemId>> Retrieval::without_vector(std::string_view name_space, std::string_view space) {
  CONSORT_TRY(entry, impl_->entry(name_space));
  const std::shared_lock lock(entry->mutex);
  const VectorIndex* vectors = entry->index.space(std::string(space));
  std::vector<ItemId> ids;
  for (std::uint32_t i = 0; i < entry->index.slots().size(); ++i) {
    const auto& slot = entry->index.slot(i);
    if (slot.live && (!vectors || !vectors->has(i))) ids.push_back(slot.id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace consort
