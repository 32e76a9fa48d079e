#include "models/tokenizer/unigram.h"

#include <algorithm>
#include <limits>
#include <set>

#include "models/tokenizer/utf8.h"

namespace consort {
namespace {

constexpr std::string_view kSpaceStandIn = "\xE2\x96\x81";  // U+2581
constexpr double kUnknownPenalty = 10;

std::string with_spaces(std::string text) {
  std::string out;
  for (std::size_t at = 0;;) {
    const std::size_t hit = text.find(kSpaceStandIn, at);
    if (hit == std::string::npos) {
      if (at == 0) return text;
      return out.append(text, at);
    }
    out.append(text, at, hit - at);
    out += ' ';
    at = hit + kSpaceStandIn.size();
  }
}

}  // namespace

Unigram::Unigram(Parts parts)
    : GgufTokenizer(std::move(parts.table), std::move(parts.types), std::move(parts.matcher),
                    std::move(parts.roles)),
      scores_(std::move(parts.scores)),
      byte_ids_(parts.byte_ids),
      byte_fallback_(parts.byte_fallback),
      normalizer_(std::move(parts.normalizer)),
      prefix_(parts.prefix),
      white_space_words_(parts.white_space_words),
      splits_words_(parts.splits_words) {
  double worst = std::numeric_limits<double>::infinity();
  std::set<std::uint16_t> lengths;
  for (TokenId id = 0; id < table_.size(); ++id) {
    worst = std::min(worst, scores_[static_cast<std::size_t>(id)]);
    if (type(id) == TokenType::kNormal || type(id) == TokenType::kUserDefined)
      lengths.insert(static_cast<std::uint16_t>(table_.text(id).size()));
  }
  unknown_score_ = worst - kUnknownPenalty;
  lengths.erase(0);
  lengths_.assign(lengths.begin(), lengths.end());
}

void Unigram::encode_ordinary(std::string_view text, bool after_special, std::vector<TokenId>& out) const {
  encode_stretch(text, after_special, out);
}

void Unigram::encode_stretch(std::string_view given, bool first, std::vector<TokenId>& out) const {
  const std::string text = normalizer_.apply(given);
  if (!white_space_words_) return encode_part(with_spaces(text), first, out);
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = utf8_at(text, at);
    if (is_white_space(c.code)) {
      encode_part(with_spaces(text.substr(begin, at - begin)), first, out);
      begin = at + c.bytes;
    }
    at += c.bytes;
  }
  encode_part(with_spaces(text.substr(begin)), first, out);
}

void Unigram::encode_part(std::string text, bool first, std::vector<TokenId>& out) const {
  if (text.empty()) return;
  const bool prefixed = prefix_ == Prefix::kAlways || (prefix_ == Prefix::kFirst && first);
  if (prefixed && text.front() != ' ') text.insert(text.begin(), ' ');
  if (!splits_words_) return encode_word(text, out);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin + 1), text.size());
    encode_word(std::string_view(text).substr(begin, end - begin), out);
    begin = end;
  }
}

void Unigram::emit_unknown(std::string_view text, std::vector<TokenId>& out) const {
  const auto known = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)] >= 0; };
  if (byte_fallback_ && std::all_of(text.begin(), text.end(), known)) {
    for (const char c : text) out.push_back(byte_ids_[static_cast<unsigned char>(c)]);
  } else if (roles_.unknown) {
    out.push_back(*roles_.unknown);
  }
}

// Viterbi over byte positions: best[i] is the best cut of the first i bytes.
void Unigram::encode_word(std::string_view word, std::vector<TokenId>& out) const {
  struct Cut {
    double score = 0;
    std::size_t from = 0;
    TokenId id = TokenTable::kNone;
    bool reached = false;
  };
  thread_local std::vector<Cut> best;  // scratch; emptied on every use
  best.assign(word.size() + 1, Cut{});
  best[0].reached = true;
  const auto offer = [&](std::size_t from, std::size_t to, TokenId id, double score) {
    Cut& cut = best[to];
    if (!cut.reached || best[from].score + score > cut.score)
      cut = {best[from].score + score, from, id, true};
  };
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t bytes = utf8_at(word, at).bytes;
    bool alone = false;
    for (const std::size_t length : lengths_) {
      if (length > word.size() - at) break;
      const TokenId id = table_.find(word.substr(at, length));
      if (id < 0) continue;
      offer(at, at + length, id, scores_[static_cast<std::size_t>(id)]);
      alone = alone || length == bytes;
    }
    if (!alone) offer(at, at + bytes, TokenTable::kNone, unknown_score_);
    at += bytes;
  }
  std::vector<std::pair<std::size_t, TokenId>> cuts;  // begin of each piece, last first
  for (std::size_t end = word.size(); end > 0; end = best[end].from)
    cuts.emplace_back(best[end].from, best[end].id);
  for (std::size_t i = cuts.size(); i-- > 0;) {
    if (cuts[i].second >= 0) {
      out.push_back(cuts[i].second);
      continue;
    }
    const std::size_t begin = cuts[i].first;
    while (i > 0 && cuts[i - 1].second < 0) --i;  // a run of unknown characters is one
    emit_unknown(word.substr(begin, (i == 0 ? word.size() : cuts[i - 1].first) - begin), out);
  }
  if (best.capacity() > 1u << 16) best = {};
}

}  // namespace consort
