// GgufVocabulary: the tokenizer.* keys of a GGUF file, checked, without a copy of the big tables. Used only
// while a tokenizer is loaded; its views stay valid as long as the WeightSource.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "models/formats/weight_source.h"
#include "models/tokenizer/special_matcher.h"
#include "models/tokenizer/tokenizer.h"

namespace consort {

// Values of tokenizer.ggml.token_type (GGUF specification, "Tokenizer").
enum class TokenType : std::uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

// The ids with a role, and what is put around a text; shared by both GGUF tokenizers.
struct TokenRoles {
  std::optional<TokenId> bos, eos, unknown;
  bool adds_bos = false, adds_eos = false;
  std::vector<TokenId> end_of_generation;  // ascending
};

struct GgufVocabulary {
  const std::vector<std::string>* tokens = nullptr;
  const std::vector<std::string>* merges = nullptr;  // BPE only
  std::vector<float> scores;                         // SentencePiece only
  std::vector<TokenType> types;                      // one a token
  std::string model, pre;                            // "gpt2", "smollm"
  std::optional<bool> add_bos, add_eos, add_space_prefix;
  TokenRoles roles;  // ids checked against the vocabulary; adds_* not filled in

  // Errors: kInvalid (keys missing or of the wrong type), kCorrupt (tables whose sizes or ids do not fit).
  static Result<GgufVocabulary> read(const WeightSource& source);
  // Control, unknown and user-defined tokens, for the matcher. Errors: kCorrupt when their texts are too
  // long.
  Result<std::vector<SpecialMatcher::Entry>> specials(const WeightSource& source) const;
};

}  // namespace consort
