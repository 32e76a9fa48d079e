#include "models/tokenizer/sentencepiece_bpe.h"

#include <algorithm>
#include <queue>

#include "models/tokenizer/utf8.h"

namespace consort {

namespace {

constexpr std::string_view kSpaceStandIn = "\xE2\x96\x81";  // U+2581
// Segments up to this many characters are merged by scanning, longer ones (Chinese, Thai) with a heap.
constexpr std::size_t kShortSegment = 32;
// A segment's offsets are 32 bits wide; beyond this it is cut (never reached by a text that fits a context).
constexpr std::size_t kMaxSegment = 1u << 30;

std::size_t border(char before, char after) {
  return (static_cast<std::size_t>(static_cast<unsigned char>(before)) << 8) |
         static_cast<unsigned char>(after);
}

std::string with_spaces(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t hit = std::min(text.find(kSpaceStandIn, at), text.size());
    out += text.substr(at, hit - at);
    if (hit == text.size()) break;
    out += ' ';
    at = hit + kSpaceStandIn.size();
  }
  return out;
}

}  // namespace

SentencePieceBpe::SentencePieceBpe(Parts parts)
    : GgufTokenizer(std::move(parts.table), std::move(parts.types), std::move(parts.matcher),
                    std::move(parts.roles)),
      scores_(std::move(parts.scores)),
      byte_ids_(parts.byte_ids),
      space_prefix_(parts.space_prefix),
      joined_(std::make_unique<std::bitset<65536>>()) {
  for (TokenId id = 0; id < table_.size(); ++id)
    if (type(id) == TokenType::kNormal || type(id) == TokenType::kUnused) note_borders(table_.text(id));
}

void SentencePieceBpe::note_borders(std::string_view text) {
  for (std::size_t at = 0; at + 1 < text.size();) {
    const std::size_t next = at + utf8_at(text, at).bytes;
    if (next < text.size()) joined_->set(border(text[next - 1], text[next]));
    at = next;
  }
}

void SentencePieceBpe::encode_ordinary(std::string_view text, bool after_special,
                                       std::vector<TokenId>& out) const {
  std::string own;
  if (text.find(kSpaceStandIn) != std::string_view::npos) text = own = with_spaces(text);
  if (space_prefix_ && after_special) text = own = " " + std::string(text);
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t next = at + utf8_at(text, at).bytes;
    if (next == text.size() || next - begin >= kMaxSegment ||
        !(*joined_)[border(text[next - 1], text[next])]) {
      encode_segment(text.substr(begin, next - begin), out);
      begin = next;
    }
    at = next;
  }
}

void SentencePieceBpe::encode_segment(std::string_view segment, std::vector<TokenId>& out) const {
  thread_local std::vector<Symbol> symbols;  // scratch; emptied on every use
  symbols.clear();
  for (std::size_t at = 0; at < segment.size();) {
    const std::size_t bytes = utf8_at(segment, at).bytes;
    const auto index = static_cast<std::int32_t>(symbols.size());
    symbols.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + bytes), index - 1,
                       index + 1, TokenTable::kNone});
    at += bytes;
  }
  symbols.back().next = -1;
  if (symbols.size() <= kShortSegment)
    merge_short(segment, symbols, out);
  else
    merge_long(segment, symbols, out);
  if (symbols.capacity() > 1u << 16) symbols = {};
}

void SentencePieceBpe::emit(std::string_view segment, const Symbol& symbol, std::vector<TokenId>& out) const {
  const std::string_view text = segment.substr(symbol.begin, symbol.end - symbol.begin);
  const TokenId id = symbol.id >= 0 ? symbol.id : table_.find(text);
  if (id >= 0) return out.push_back(id);
  for (const char c : text) {
    const TokenId byte = byte_ids_[static_cast<unsigned char>(c)];
    if (byte >= 0)
      out.push_back(byte);
    else if (roles_.unknown)
      out.push_back(*roles_.unknown);
  }
}

void SentencePieceBpe::merge_short(std::string_view segment, std::vector<Symbol>& symbols,
                                   std::vector<TokenId>& out) const {
  std::array<TokenId, kShortSegment> merged;  // merged[i]: token of symbols i and i + 1 together
  std::size_t count = symbols.size();
  const auto look_up = [&](std::size_t i) {
    merged[i] = table_.find(segment.substr(symbols[i].begin, symbols[i + 1].end - symbols[i].begin));
  };
  for (std::size_t i = 0; i + 1 < count; ++i) look_up(i);
  while (count > 1) {
    std::size_t best = count;
    for (std::size_t i = 0; i + 1 < count; ++i)
      if (merged[i] >= 0 && (best == count || scores_[static_cast<std::size_t>(merged[i])] >
                                                  scores_[static_cast<std::size_t>(merged[best])]))
        best = i;
    if (best == count) break;
    symbols[best].end = symbols[best + 1].end;
    symbols[best].id = merged[best];
    for (std::size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i] = symbols[i + 1];
      merged[i] = merged[i + 1];
    }
    --count;
    if (best + 1 < count) look_up(best);
    if (best > 0) look_up(best - 1);
  }
  for (std::size_t i = 0; i < count; ++i) emit(segment, symbols[i], out);
}

void SentencePieceBpe::merge_long(std::string_view segment, std::vector<Symbol>& symbols,
                                  std::vector<TokenId>& out) const {
  const auto symbol = [&](std::int32_t i) -> Symbol& { return symbols[static_cast<std::size_t>(i)]; };
  std::vector<Merge> storage;
  storage.reserve(symbols.size());
  std::priority_queue<Merge> queue(std::less<Merge>(), std::move(storage));
  const auto consider = [&](std::int32_t left) {
    if (left < 0 || symbol(left).next < 0) return;
    const std::uint32_t end = symbol(symbol(left).next).end;
    const TokenId id = table_.find(segment.substr(symbol(left).begin, end - symbol(left).begin));
    if (id >= 0) queue.push({scores_[static_cast<std::size_t>(id)], left, end, id});
  };
  for (std::int32_t i = 0; i + 1 < static_cast<std::int32_t>(symbols.size()); ++i) consider(i);
  while (!queue.empty()) {
    const Merge top = queue.top();
    queue.pop();
    Symbol& left = symbol(top.left);
    // Out of date when the left half was swallowed (begin == end) or either half has grown since.
    if (left.begin == left.end || left.next < 0 || symbol(left.next).end != top.end) continue;
    Symbol& right = symbol(left.next);
    left.end = right.end;
    left.id = top.result;
    left.next = right.next;
    right.begin = right.end;
    if (left.next >= 0) symbol(left.next).previous = top.left;
    consider(left.previous);
    consider(top.left);
  }
  for (std::int32_t i = 0; i >= 0; i = symbol(i).next) emit(segment, symbol(i), out);
}

}  // namespace consort
