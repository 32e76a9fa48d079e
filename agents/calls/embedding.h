// Embeddings for the retrieval memory, through the bus. Used by retrieve, remember and the command `memory`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "memory/retrieval/item.h"
#include "scheduler/host/model_handle.h"

namespace consort {

struct EmbeddedTexts {
  VectorSpace space;  // named after the model, fingerprint from its weights
  // One for each text; of a late-interaction model (space metric kMaxSim) a row for each token.
  std::vector<std::vector<float>> vectors;
  std::vector<bool> truncated;  // the model's limit cut the text
  Usage usage;                  // of all requests together
};

// The model that embeds where a task names none.
inline constexpr const char* kDefaultEmbedder = "all-minilm-l6-v2";

// input_type: "query" or "document" (the catalogue's prefixes), or "". Asks for 128 texts at a time. Errors:
// those of ModelDirectory::acquire and ModelHandle::embed. level: nullopt gives what the model gives by
// itself.
Async<EmbeddedTexts> embed_texts(ModelDirectory& models, std::string model, std::vector<std::string> texts,
                                 std::string input_type, RequestContext context,
                                 std::optional<EmbeddingLevel> level = EmbeddingLevel::kItem);

}  // namespace consort
