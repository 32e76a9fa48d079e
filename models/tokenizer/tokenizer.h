// Tokenizer: text to token ids and back. Byte-level BPE, SentencePiece BPE and WordPiece implement it.
// Immutable after loading; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "models/formats/weight_source.h"

namespace consort {

using TokenId = std::int32_t;

struct EncodeOptions {
  bool add_special = false;    // what the model's file says is put around a text (BOS; [CLS] ... [SEP])
  bool parse_special = false;  // special-token text in the input becomes that token
};

struct ByteRange {
  std::size_t begin = 0, end = 0;  // [begin, end)
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual std::string kind() const = 0;  // "bpe/smollm", "spm", "wordpiece"
  virtual int vocab_size() const = 0;

  // Any bytes are accepted; broken UTF-8 is handled as the reference does (byte level), never an error.
  virtual std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const = 0;
  // As encode with parse_special, but control tokens are not recognised where their text touches one of the
  // `literal` ranges (ascending, not overlapping; texts from outside, such as message contents). Ordinary
  // text merges across the ranges' borders as if they were not there. No BOS is added.
  virtual std::vector<TokenId> encode_with_literals(std::string_view text,
                                                    std::span<const ByteRange> literal) const = 0;
  // Joined text of ids; special tokens appear as their text when `specials`. May contain broken UTF-8 when a
  // character is cut. Errors: kInvalid when an id is outside the vocabulary.
  virtual Result<std::string> decode(std::span<const TokenId> ids, bool specials = true) const = 0;
  // The bytes that one token adds inside a running text (no leading-space stripping), empty for specials.
  virtual std::string token_bytes(TokenId id) const = 0;

  virtual std::optional<TokenId> bos() const = 0;
  virtual std::optional<TokenId> eos() const = 0;
  virtual bool adds_bos() const = 0;
  virtual bool adds_leading_space() const { return false; }  // encode() puts one in front of a text
  virtual bool is_end_of_generation(TokenId id) const = 0;  // eos, eot and the like
  virtual bool is_special(TokenId id) const = 0;            // control tokens
  virtual std::optional<TokenId> find(std::string_view token_text) const = 0;
};

// From a GGUF's tokenizer.* keys, or a Hugging Face folder's tokenizer.json / vocab.txt. Errors: kUnsupported
// names the model type or pre-tokenizer; kCorrupt for damaged tables.
Result<std::unique_ptr<Tokenizer>> load_tokenizer(const WeightSource& source);

// BERT-style pair for cross-encoders: [CLS] a [SEP] b [SEP] with longest-first cutting is built by the caller
// from encode() without specials.

}  // namespace consort
