#include "models/tokenizer/byte_bpe.h"

#include <algorithm>
#include <bit>
#include <queue>

namespace consort {

namespace {

// Pieces up to this many bytes are merged by scanning an array (English words: about 6 bytes), longer ones
// with a heap, so that a megabyte without a space stays O(n log n).
constexpr std::size_t kShortPiece = 40;

std::size_t hash_pair(std::uint32_t left, std::uint32_t right) {
  const std::uint64_t key = (static_cast<std::uint64_t>(left) << 32) | right;
  return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15ull) >> 20);
}

}  // namespace

void MergeTable::reserve(std::size_t merges) {
  slots_.assign(std::bit_ceil(merges * 2 + 2), Merge{});
  mask_ = slots_.size() - 1;
}

void MergeTable::add(TokenId left, TokenId right, std::uint32_t rank, TokenId result) {
  const auto l = static_cast<std::uint32_t>(left), r = static_cast<std::uint32_t>(right);
  std::size_t at = hash_pair(l, r) & mask_;
  for (; slots_[at].rank != kEmpty; at = (at + 1) & mask_)
    if (slots_[at].left == l && slots_[at].right == r) return;
  slots_[at] = {l, r, rank, result};
}

const MergeTable::Merge& MergeTable::find(TokenId left, TokenId right) const {
  const auto l = static_cast<std::uint32_t>(left), r = static_cast<std::uint32_t>(right);
  for (std::size_t at = hash_pair(l, r) & mask_; slots_[at].rank != kEmpty; at = (at + 1) & mask_)
    if (slots_[at].left == l && slots_[at].right == r) return slots_[at];
  return none_;
}

ByteBpe::ByteBpe(Parts parts)
    : GgufTokenizer(std::move(parts.table), std::move(parts.types), std::move(parts.matcher),
                    std::move(parts.roles)),
      merges_(std::move(parts.merges)),
      pre_name_(std::move(parts.pre_name)),
      pre_(parts.pre),
      whole_words_(parts.whole_words) {
  for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    const char c = static_cast<char>(byte);
    byte_ids_[byte] = table_.find({&c, 1});
  }
}

void ByteBpe::encode_ordinary(std::string_view text, bool, std::vector<TokenId>& out) const {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = next_piece(pre_, text, at);
    encode_piece(text.substr(at, end - at), out);
    at = end;
  }
}

void ByteBpe::encode_piece(std::string_view piece, std::vector<TokenId>& out) const {
  if (whole_words_)
    if (const TokenId id = table_.find(piece); id != TokenTable::kNone) return out.push_back(id);
  if (piece.size() <= kShortPiece) return merge_short(piece, out);
  merge_long(piece, out);
}

void ByteBpe::merge_short(std::string_view piece, std::vector<TokenId>& out) const {
  std::array<TokenId, kShortPiece + 1> ids;
  std::array<const MergeTable::Merge*, kShortPiece + 1> pairs;  // pairs[i]: of ids[i] and ids[i + 1]
  std::size_t count = piece.size();
  for (std::size_t i = 0; i < count; ++i) ids[i] = byte_ids_[static_cast<unsigned char>(piece[i])];
  for (std::size_t i = 0; i + 1 < count; ++i) pairs[i] = &merges_.find(ids[i], ids[i + 1]);
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i)
      if (pairs[i]->rank < pairs[best]->rank) best = i;
    if (pairs[best]->rank == MergeTable::kEmpty) break;
    ids[best] = pairs[best]->result;
    for (std::size_t i = best + 1; i + 1 < count; ++i) {
      ids[i] = ids[i + 1];
      pairs[i] = pairs[i + 1];
    }
    --count;
    if (best + 1 < count) pairs[best] = &merges_.find(ids[best], ids[best + 1]);
    if (best > 0) pairs[best - 1] = &merges_.find(ids[best - 1], ids[best]);
  }
  for (std::size_t i = 0; i < count; ++i)
    if (ids[i] != TokenTable::kNone) out.push_back(ids[i]);
}

void ByteBpe::merge_long(std::string_view piece, std::vector<TokenId>& out) const {
  struct Symbol {
    TokenId id;
    std::int32_t previous, next;
  };
  struct Candidate {
    std::uint32_t rank;
    std::int32_t left;
    TokenId left_id, right_id, result;
    bool operator<(const Candidate& other) const {  // std::priority_queue gives the largest first
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  const auto count = static_cast<std::int32_t>(piece.size());
  std::vector<Symbol> symbols(piece.size());
  std::priority_queue<Candidate> queue;
  const auto consider = [&](std::int32_t left) {
    if (left < 0 || symbols[static_cast<std::size_t>(left)].next < 0) return;
    const Symbol& a = symbols[static_cast<std::size_t>(left)];
    const Symbol& b = symbols[static_cast<std::size_t>(a.next)];
    const MergeTable::Merge& merge = merges_.find(a.id, b.id);
    if (merge.rank != MergeTable::kEmpty) queue.push({merge.rank, left, a.id, b.id, merge.result});
  };
  for (std::int32_t i = 0; i < count; ++i)
    symbols[static_cast<std::size_t>(i)] = {
        byte_ids_[static_cast<unsigned char>(piece[static_cast<std::size_t>(i)])], i - 1,
        i + 1 < count ? i + 1 : -1};
  for (std::int32_t i = 0; i + 1 < count; ++i) consider(i);
  constexpr TokenId kGone = -2;
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& a = symbols[static_cast<std::size_t>(top.left)];
    if (a.id != top.left_id || a.next < 0 || symbols[static_cast<std::size_t>(a.next)].id != top.right_id)
      continue;
    Symbol& b = symbols[static_cast<std::size_t>(a.next)];
    a.id = top.result;
    a.next = b.next;
    b.id = kGone;
    if (a.next >= 0) symbols[static_cast<std::size_t>(a.next)].previous = top.left;
    consider(a.previous);
    consider(top.left);
  }
  for (std::int32_t i = 0; i >= 0; i = symbols[static_cast<std::size_t>(i)].next)
    if (const TokenId id = symbols[static_cast<std::size_t>(i)].id; id >= 0) out.push_back(id);
}

}  // namespace consort
