// NamespaceIndex: everything a search needs of one namespace, in memory, built from the store's records and
// changed by them. Not thread-safe: Retrieval guards each with a reader-writer lock. Private to
// memory/retrieval.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "memory/retrieval/item_record.h"
#include "memory/retrieval/lexical_index.h"
#include "memory/retrieval/retrieval.h"

namespace consort {

struct IdHash {  // ids and digests are hashes already
  template <std::size_t N>
  std::size_t operator()(const std::array<std::uint8_t, N>& bytes) const {
    std::size_t h = 0;
    for (std::size_t i = 0; i < sizeof(h); ++i) h = h << 8 | bytes[i];
    return h;
  }
};

class NamespaceIndex {
 public:
  struct Slot {
    ItemId id{};
    TextDigest digest{};
    std::string external_id;
    Metadata metadata;
    Provenance provenance;
    std::int64_t created_us = 0, updated_us = 0;
    std::size_t text_bytes = 0;
    bool live = false;
    FilterSubject subject() const;
  };

  explicit NamespaceIndex(AnalyzerOptions analyzer) : analyzer_(analyzer) {}

  // Records as they lie in the store, in any order of items, but spaces before their vectors.
  void put_item(const StoredItem& stored);
  void erase_item(const ItemId& id);
  void put_space(const VectorSpace& space);
  // Ignored when the item is gone or has another text by now, or the vector is of an earlier space of this
  // name.
  void put_vector(const ItemId& id, const std::string& space, const VectorRecord& record);
  void erase_vector(const ItemId& id, const std::string& space);
  // Gives slots of erased items back once they outnumber half of the live ones. Called after each commit.
  void tidy();

  // Remembers a space that a plan is about to make, so that two plans cannot disagree about it. Errors:
  // kInvalid.
  Status reserve_space(const VectorSpace& space, bool& is_new);

  const Slot* find(const ItemId& id) const;
  std::optional<std::uint32_t> slot_of(const ItemId& id) const;
  const Slot* find_text(const TextDigest& digest) const;  // one of the items with this text
  const Slot& slot(std::uint32_t number) const { return slots_[number]; }
  const std::vector<Slot>& slots() const { return slots_; }  // dead ones included
  std::size_t items() const { return by_id_.size(); }
  const LexicalIndex& lexical() const { return lexical_; }
  const std::map<std::string, VectorIndex>& spaces() const { return spaces_; }
  const VectorIndex* space(const std::string& name) const;
  std::size_t text_bytes() const { return text_bytes_; }
  std::size_t bytes() const;  // of memory, about

 private:
  void kill(std::uint32_t slot);

  AnalyzerOptions analyzer_;
  std::vector<Slot> slots_;
  std::unordered_map<ItemId, std::uint32_t, IdHash> by_id_;
  std::unordered_multimap<TextDigest, std::uint32_t, IdHash> by_text_;
  LexicalIndex lexical_;
  std::map<std::string, VectorIndex> spaces_;
  std::map<std::string, bool> committed_;  // spaces whose record is in the store
  std::size_t text_bytes_ = 0;
};

}  // namespace consort
