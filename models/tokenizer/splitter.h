// Pre-tokenizers of byte-level BPE: where a text is cut before merging. Written by hand because std::regex
// has neither Unicode classes nor the speed. Each equals a published pattern (L, N: Unicode general
// categories; s: White_Space):
//   gpt-2      's|'t|'re|'ve|'m|'ll|'d| ?L+| ?N+| ?[^sLN]+|s+(?!S)|s+          (Radford 2019, encoder.py)
//   smollm     every N alone, and gpt-2 on what lies between
//   llama-bpe  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\nLN]?L+|N{1,3}| ?[^sLN]+[\r\n]*|s*[\r\n]+|s+(?!S)|s+
//   qwen2      llama-bpe with N instead of N{1,3}
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace consort {

enum class PreTokenizer { kGpt2, kSmolLm, kLlamaBpe, kQwen2 };

// From `tokenizer.ggml.pre`; empty for a name that is not implemented (the loader refuses it).
std::optional<PreTokenizer> pre_tokenizer_named(std::string_view name);

// End of the piece that begins at text[begin]. Pieces cover the text without gaps; a byte that is not UTF-8
// counts as a symbol. REQUIRES: begin < text.size(). The result is > begin.
std::size_t next_piece(PreTokenizer kind, std::string_view text, std::size_t begin);

}  // namespace consort
