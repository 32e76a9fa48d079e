// What a retrieval memory holds: items with their provenance, and the spaces their embeddings live in.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "memory/retrieval/metadata.h"

namespace consort {

// 16 bytes of SHA-256 over the external id, or over the normalised text where there is none: the same item
// gets the same id in every process, so two writers cannot make two of it.
using ItemId = std::array<std::uint8_t, 16>;
std::string item_id_text(const ItemId& id);  // 32 hexadecimal digits
std::optional<ItemId> parse_item_id(std::string_view text);

// SHA-256 of a text after NFC and with each run of white space as one blank, none at the ends: what exact
// deduplication compares.
using TextDigest = std::array<std::uint8_t, 32>;
TextDigest text_digest(std::string_view text);
// The id that an item gets.
ItemId make_item_id(std::string_view external_id, const TextDigest& digest);

// Where an item comes from. All texts; any may be empty.
struct Provenance {
  std::string source;        // file, URL, "run", "user"
  std::string run_id, task;  // the run and the task's JSON Pointer that wrote it
  std::string model_digest;  // of the model that made the text, if one did
  bool operator==(const Provenance&) const = default;
};

struct Item {
  ItemId id{};
  std::string external_id;  // empty when the text identifies it
  std::string text;
  Metadata metadata;
  Provenance provenance;
  std::int64_t created_us = 0, updated_us = 0;  // microseconds since 1970, UTC
};

// kMaxSim: an item has a vector for each of its tokens, and late interaction compares them (token_vectors.h).
enum class VectorMetric : std::uint8_t { kCosine, kDot, kMaxSim };

// The vectors of one model in one namespace. A vector of another model (fingerprint), dimension or metric is
// refused: a model that was swapped unseen is the classic failure of a vector memory.
struct VectorSpace {
  std::string name;         // usually the model's id
  std::string fingerprint;  // digest of the model's weights
  std::size_t dimension = 0;
  VectorMetric metric = VectorMetric::kCosine;
  bool operator==(const VectorSpace&) const = default;
};

struct NewItem {
  std::string text;         // UTF-8, 1 byte to 1 MiB
  std::string external_id;  // replaces the item of this id; empty: the text is the identity
  Metadata metadata;
  Provenance provenance;
  // In RememberOptions::space; may be empty. Under kMaxSim a row of `dimension` for each token, one behind
  // the other.
  std::vector<float> embedding;
};

}  // namespace consort
