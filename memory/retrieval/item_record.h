// Keys and values of the families memory_item, memory_vector and memory_space. Private to memory/retrieval.
//   memory_item    namespace, item id             -> item
//   memory_vector  namespace, space name, item id -> the vector and which text it belongs to
//   memory_space   namespace, space name          -> fingerprint, dimension, metric
// Texts in keys carry their length before them, so no namespace's keys lie among another's.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "memory/retrieval/item.h"
#include "memory/retrieval/token_vectors.h"

namespace consort {

inline constexpr char kItemFamily[] = "memory_item";
inline constexpr char kVectorFamily[] = "memory_vector";
inline constexpr char kSpaceFamily[] = "memory_space";
inline constexpr char kSourceFamily[] = "memory_source";  // {namespace, root}: names of the sources read from it

struct VectorRecord {
  TextDigest digest{};           // of the text that the vector stands for
  std::uint64_t space_hash = 0;  // space_hash() of its space
  std::vector<float> values;
  TokenVectors tokens;  // instead of `values` in a space of metric kMaxSim
};

std::string item_key(std::string_view name_space, const ItemId& id);
std::string vector_key(std::string_view name_space, std::string_view space, const ItemId& id);
std::string space_key(std::string_view name_space, std::string_view space);
std::string namespace_prefix(std::string_view name_space);

struct MemoryKey {
  std::string name_space, space;  // space: empty in keys of items
  ItemId id{};                    // zero in keys of spaces
};
Result<MemoryKey> parse_item_key(std::string_view key);
Result<MemoryKey> parse_vector_key(std::string_view key);
Result<MemoryKey> parse_space_key(std::string_view key);

// Record version 1 of each; token vectors are version 2 of a vector. Decoding checks lengths and types, not
// digests. Errors: kCorrupt; kUnsupported for a newer version.
std::string encode_item(const Item& item, const TextDigest& digest);
struct StoredItem {
  Item item;
  TextDigest digest{};
};
Result<StoredItem> decode_item(const ItemId& id, std::string_view value);
std::string encode_vector(const VectorRecord& record);
Result<VectorRecord> decode_vector(std::string_view value);
std::string encode_space(const VectorSpace& space);
Result<VectorSpace> decode_space(std::string_view name, std::string_view value);

// Tells spaces of one name apart.
std::uint64_t space_hash(const VectorSpace& space);

}  // namespace consort
