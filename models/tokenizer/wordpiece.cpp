#include "models/tokenizer/wordpiece.h"

#include <algorithm>

#include "models/tokenizer/bert_normalizer.h"
#include "models/tokenizer/utf8.h"

namespace consort {

WordPiece::WordPiece(const WordPieceVocabulary& vocabulary)
    : continuation_(vocabulary.continuation),
      max_word_characters_(vocabulary.max_word_characters),
      unknown_(vocabulary.unknown),
      cls_(vocabulary.cls),
      sep_(vocabulary.sep) {
  std::size_t bytes = 0;
  for (const std::string& token : vocabulary.tokens) bytes += token.size();
  table_.reserve(vocabulary.tokens.size(), bytes);
  for (const std::string& token : vocabulary.tokens) table_.add(token);
  table_.build(std::vector<bool>(vocabulary.tokens.size(), true));
  std::vector<SpecialMatcher::Entry> entries;
  for (const auto& special : vocabulary.specials) {
    entries.push_back({special.text, special.id, special.control});
    if (special.control) specials_.push_back(special.id);
  }
  matcher_ = SpecialMatcher(entries);
  std::sort(specials_.begin(), specials_.end());
}

void WordPiece::encode_cut(std::string_view text, const std::vector<SpecialMatch>& cuts,
                           std::vector<TokenId>& out) const {
  std::string buffer;
  const auto ordinary = [&](std::string_view part) {
    const BertWords words = bert_words(part);
    std::size_t begin = 0;
    for (const std::size_t end : words.ends) {
      encode_word(std::string_view(words.text).substr(begin, end - begin), buffer, out);
      begin = end;
    }
  };
  std::size_t at = 0;
  for (const SpecialMatch& cut : cuts) {
    ordinary(text.substr(at, cut.begin - at));
    out.push_back(cut.id);
    at = cut.end;
  }
  ordinary(text.substr(at));
}

void WordPiece::encode_word(std::string_view word, std::string& buffer, std::vector<TokenId>& out) const {
  if (word.size() > max_word_characters_ && utf8_length(word) > max_word_characters_)
    return out.push_back(unknown_);
  const std::size_t first = out.size();
  std::string_view rest = word;
  for (std::size_t at = 0; at < word.size();) {
    if (at > 0) {
      buffer.assign(continuation_).append(word.substr(at));
      rest = buffer;
    }
    const std::size_t prefix = at > 0 ? continuation_.size() : 0;
    std::size_t length = std::min(rest.size(), table_.longest());
    TokenId id = TokenTable::kNone;
    for (; length > prefix; --length) {
      // Never inside a character: continuation bytes are 10xxxxxx.
      if (length < rest.size() && (static_cast<unsigned char>(rest[length]) & 0xC0) == 0x80) continue;
      if ((id = table_.find(rest.substr(0, length))) != TokenTable::kNone) break;
    }
    if (id == TokenTable::kNone) {
      out.resize(first);
      return out.push_back(unknown_);
    }
    out.push_back(id);
    at += length - prefix;
  }
}

std::vector<TokenId> WordPiece::encode(std::string_view text, EncodeOptions options) const {
  std::vector<TokenId> out;
  out.reserve(text.size() / 4 + 2);
  if (options.add_special) out.push_back(cls_);
  encode_cut(text, matcher_.find(text, options.parse_special), out);
  if (options.add_special) out.push_back(sep_);
  return out;
}

std::vector<TokenId> WordPiece::encode_with_literals(std::string_view text,
                                                     std::span<const ByteRange> literal) const {
  std::vector<TokenId> out;
  encode_cut(text, matcher_.find(text, true, literal), out);
  return out;
}

Result<std::string> WordPiece::decode(std::span<const TokenId> ids, bool specials) const {
  std::string out;
  for (const TokenId id : ids) {
    if (id < 0 || id >= table_.size())
      return fail(ErrorKind::kInvalid, "token id " + std::to_string(id) + " is outside the vocabulary of " +
                                           std::to_string(vocab_size()));
    if (is_special(id) && !specials) continue;
    std::string_view text = table_.text(id);
    if (!out.empty() && text.starts_with(continuation_))
      text.remove_prefix(continuation_.size());
    else if (!out.empty())
      out += ' ';
    out += text;
  }
  return out;
}

std::string WordPiece::token_bytes(TokenId id) const {
  if (id < 0 || id >= table_.size() || is_special(id)) return {};
  const std::string_view text = table_.text(id);
  return text.starts_with(continuation_) ? std::string(text.substr(continuation_.size()))
                                         : " " + std::string(text);
}

bool WordPiece::is_special(TokenId id) const {
  return std::binary_search(specials_.begin(), specials_.end(), id);
}

std::optional<TokenId> WordPiece::find(std::string_view token_text) const {
  const TokenId id = table_.find(token_text);
  return id == TokenTable::kNone ? std::nullopt : std::optional<TokenId>(id);
}

}  // namespace consort
