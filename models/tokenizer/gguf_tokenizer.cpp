#include "models/tokenizer/gguf_tokenizer.h"

#include <algorithm>

namespace consort {

void GgufTokenizer::encode_cut(std::string_view text, const std::vector<SpecialMatch>& cuts,
                               std::vector<TokenId>& out) const {
  std::size_t at = 0;
  for (const SpecialMatch& cut : cuts) {
    if (cut.begin > at) encode_stretch(text.substr(at, cut.begin - at), at == 0, out);
    out.push_back(cut.id);
    at = cut.end;
  }
  if (at < text.size()) encode_stretch(text.substr(at), at == 0, out);
}

std::vector<TokenId> GgufTokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<TokenId> out;
  out.reserve(text.size() / 3 + 4);
  if (options.add_special && roles_.adds_bos && roles_.bos) out.push_back(*roles_.bos);
  encode_cut(text, matcher_.find(text, options.parse_special), out);
  if (options.add_special && roles_.adds_eos && roles_.eos) out.push_back(*roles_.eos);
  return out;
}

std::vector<TokenId> GgufTokenizer::encode_with_literals(std::string_view text,
                                                         std::span<const ByteRange> literal) const {
  std::vector<TokenId> out;
  out.reserve(text.size() / 3 + 4);
  encode_cut(text, matcher_.find(text, true, literal), out);
  return out;
}

Result<std::string> GgufTokenizer::decode(std::span<const TokenId> ids, bool specials) const {
  std::string out;
  bool strip = strips_leading_space();
  for (const TokenId id : ids) {
    if (!known(id))
      return fail(ErrorKind::kInvalid, "token id " + std::to_string(id) + " is outside the vocabulary of " +
                                           std::to_string(vocab_size()));
    std::string_view piece = table_.text(id);
    if (is_special(id)) {
      if (specials) out += piece;
      continue;
    }
    if (strip && !piece.empty() && piece.front() == ' ') piece.remove_prefix(1);
    strip = false;
    out += piece;
  }
  return out;
}

std::string GgufTokenizer::token_bytes(TokenId id) const {
  return known(id) && !is_special(id) ? std::string(table_.text(id)) : std::string();
}

bool GgufTokenizer::is_end_of_generation(TokenId id) const {
  return std::binary_search(roles_.end_of_generation.begin(), roles_.end_of_generation.end(), id);
}

bool GgufTokenizer::is_special(TokenId id) const {
  return known(id) && (type(id) == TokenType::kControl || type(id) == TokenType::kUnknown);
}

std::optional<TokenId> GgufTokenizer::find(std::string_view token_text) const {
  if (const TokenId id = matcher_.exact(token_text); id >= 0) return id;
  if (const TokenId id = table_.find(token_text); id != TokenTable::kNone) return id;
  return std::nullopt;
}

}  // namespace consort
