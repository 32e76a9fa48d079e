#include "memory/retrieval/namespace_index.h"

#include <fmt/format.h>

namespace consort {

FilterSubject NamespaceIndex::Slot::subject() const {
  return {&metadata,         external_id,     provenance.source,
          provenance.run_id, provenance.task, provenance.model_digest,
          created_us,        updated_us};
}

void NamespaceIndex::put_item(const StoredItem& stored) {
  const Item& item = stored.item;
  const auto at = by_id_.find(item.id);
  std::uint32_t number = 0;
  if (at != by_id_.end() && slots_[at->second].digest == stored.digest) {
    number = at->second;  // the same words: only what stands beside them changes
    // Texts of one digest may differ in white space, which the analyzer does not see either.
    text_bytes_ -= slots_[number].text_bytes;
  } else {
    if (at != by_id_.end()) kill(at->second);
    number = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
    by_id_[item.id] = number;
    by_text_.emplace(stored.digest, number);
    lexical_.add(number, analyze(item.text, analyzer_));
  }
  slots_[number] = Slot{item.id,         stored.digest,   item.external_id, item.metadata, item.provenance,
                        item.created_us, item.updated_us, item.text.size(), /*live=*/true};
  text_bytes_ += item.text.size();
}

void NamespaceIndex::kill(std::uint32_t number) {
  Slot& slot = slots_[number];
  text_bytes_ -= slot.text_bytes;
  const auto [begin, end] = by_text_.equal_range(slot.digest);
  for (auto it = begin; it != end; ++it) {
    if (it->second == number) {
      by_text_.erase(it);
      break;
    }
  }
  by_id_.erase(slot.id);
  lexical_.erase(number);
  for (auto& [name, vectors] : spaces_) vectors.erase(number);
  slot = Slot{};
}

void NamespaceIndex::erase_item(const ItemId& id) {
  if (const auto at = by_id_.find(id); at != by_id_.end()) kill(at->second);
}

void NamespaceIndex::put_space(const VectorSpace& space) {
  const auto at = spaces_.find(space.name);
  if (at != spaces_.end() && !(at->second.space() == space)) spaces_.erase(at);
  spaces_.try_emplace(space.name, space);
  committed_[space.name] = true;
}

void NamespaceIndex::put_vector(const ItemId& id, const std::string& space, const VectorRecord& record) {
  const auto at = by_id_.find(id);
  const auto vectors = spaces_.find(space);
  if (at == by_id_.end() || vectors == spaces_.end()) return;
  const VectorSpace& wanted = vectors->second.space();
  if (slots_[at->second].digest != record.digest || record.space_hash != space_hash(wanted)) return;
  if (wanted.metric == VectorMetric::kMaxSim) {
    if (record.tokens.rows() > 0 && record.tokens.dimension == wanted.dimension)
      vectors->second.put_tokens(at->second, record.tokens);
    return;
  }
  if (record.values.size() != wanted.dimension) return;
  vectors->second.put(at->second, record.values);
}

void NamespaceIndex::erase_vector(const ItemId& id, const std::string& space) {
  const auto at = by_id_.find(id);
  const auto vectors = spaces_.find(space);
  if (at != by_id_.end() && vectors != spaces_.end()) vectors->second.erase(at->second);
}

void NamespaceIndex::tidy() {
  const std::size_t dead = slots_.size() - by_id_.size();
  if (dead < 1024 || dead < by_id_.size() / 2) return;
  std::vector<std::uint32_t> to(slots_.size(), VectorIndex::kNone);
  std::vector<Slot> kept;
  kept.reserve(by_id_.size());
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].live) continue;
    to[i] = static_cast<std::uint32_t>(kept.size());
    kept.push_back(std::move(slots_[i]));
  }
  slots_ = std::move(kept);
  for (auto& [id, slot] : by_id_) slot = to[slot];
  for (auto& [digest, slot] : by_text_) slot = to[slot];
  lexical_.renumber(to, slots_.size());
  for (auto& [name, vectors] : spaces_) vectors.renumber(to);
}

Status NamespaceIndex::reserve_space(const VectorSpace& space, bool& is_new) {
  const auto at = spaces_.find(space.name);
  is_new = !committed_.contains(space.name);
  if (at != spaces_.end() && at->second.space() == space) return {};
  if (at == spaces_.end() || is_new) {  // none yet, or one that was only planned
    if (at != spaces_.end()) spaces_.erase(at);
    spaces_.try_emplace(space.name, space);
    return {};
  }
  const VectorSpace& have = at->second.space();
  const std::string difference =
      have.dimension != space.dimension
          ? fmt::format("vectors of {} numbers, these have {}", have.dimension, space.dimension)
      : have.metric != space.metric
          ? std::string("another metric")
          : fmt::format("vectors of model {}, these are of {}", have.fingerprint, space.fingerprint);
  return fail(ErrorKind::kInvalid, fmt::format("the space '{}' holds {}", space.name, difference), "",
              "embed with the model of the space, or use another space or namespace");
}

const NamespaceIndex::Slot* NamespaceIndex::find(const ItemId& id) const {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : &slots_[at->second];
}

std::optional<std::uint32_t> NamespaceIndex::slot_of(const ItemId& id) const {
  const auto at = by_id_.find(id);
  if (at == by_id_.end()) return std::nullopt;
  return at->second;
}

const NamespaceIndex::Slot* NamespaceIndex::find_text(const TextDigest& digest) const {
  const auto at = by_text_.find(digest);
  return at == by_text_.end() ? nullptr : &slots_[at->second];
}

const VectorIndex* NamespaceIndex::space(const std::string& name) const {
  const auto at = spaces_.find(name);
  return at == spaces_.end() ? nullptr : &at->second;
}

std::size_t NamespaceIndex::bytes() const {
  std::size_t sum =
      slots_.capacity() * sizeof(Slot) + by_id_.size() * 48 + by_text_.size() * 64 + lexical_.bytes();
  for (const auto& [name, vectors] : spaces_) sum += vectors.bytes();
  for (const Slot& slot : slots_) {
    sum += slot.external_id.capacity() + slot.provenance.source.capacity() + slot.provenance.task.capacity();
    for (const auto& [name, value] : slot.metadata) sum += 96 + name.capacity();
  }
  return sum;
}

}  // namespace consort
