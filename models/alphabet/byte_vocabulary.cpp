#include "models/alphabet/byte_vocabulary.h"

#include <algorithm>
#include <utility>

namespace consort {
namespace {

// The first eight bytes as a number that sorts as they do.
std::uint64_t leading(std::string_view text) {
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < 8; ++i)
    key = key << 8 | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0u);
  return key;
}

}  // namespace

ByteVocabulary::ByteVocabulary(const Tokenizer& tokenizer) : vocab_size_(tokenizer.vocab_size()) {
  std::vector<std::string> bytes(static_cast<std::size_t>(vocab_size_));
  for (TokenId id = 0; id < vocab_size_; ++id) {
    if (tokenizer.is_end_of_generation(id))
      ends_.push_back(id);
    else if (!tokenizer.is_special(id))
      bytes[static_cast<std::size_t>(id)] = tokenizer.token_bytes(id);
  }
  build(bytes);
}

ByteVocabulary::ByteVocabulary(const std::vector<std::string>& bytes, std::vector<TokenId> ends)
    : vocab_size_(static_cast<int>(bytes.size())), ends_(std::move(ends)) {
  std::sort(ends_.begin(), ends_.end());
  build(bytes);
}

void ByteVocabulary::build(const std::vector<std::string>& bytes) {
  struct Entry {
    std::uint64_t key;
    TokenId id;
  };
  std::vector<Entry> entries;
  std::size_t total = 0;
  for (TokenId id = 0; id < vocab_size_; ++id) {
    if (std::binary_search(ends_.begin(), ends_.end(), id)) continue;
    const std::string& text = bytes[static_cast<std::size_t>(id)];
    if (text.empty()) {
      outside_.push_back(id);
      continue;
    }
    entries.push_back({leading(text), id});
    total += text.size();
  }
  const auto text = [&](const Entry& e) -> const std::string& {
    return bytes[static_cast<std::size_t>(e.id)];
  };
  std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
    if (a.key != b.key) return a.key < b.key;
    const int order = text(a).compare(text(b));
    return order != 0 ? order < 0 : a.id < b.id;
  });
  arena_.reserve(total);
  starts_.reserve(entries.size() + 1);
  order_.reserve(entries.size());
  for (const Entry& e : entries) {
    starts_.push_back(static_cast<std::uint32_t>(arena_.size()));
    order_.push_back(e.id);
    arena_ += text(e);
    ++first_[static_cast<unsigned char>(text(e).front()) + 1];
  }
  starts_.push_back(static_cast<std::uint32_t>(arena_.size()));
  for (std::size_t b = 1; b < first_.size(); ++b) first_[b] += first_[b - 1];
}

std::uint32_t ByteVocabulary::complete(const TrieNode& node) const {
  std::uint32_t at = node.begin;
  while (at < node.end && bytes(at).size() == node.depth) ++at;
  return at;
}

// The first place in [from, node.end) whose byte behind the node's string is at least `byte`.
std::uint32_t ByteVocabulary::first_not_below(const TrieNode& node, std::uint32_t from, int byte) const {
  std::uint32_t low = from, high = node.end;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (static_cast<unsigned char>(arena_[starts_[middle] + node.depth]) < byte)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

TrieNode ByteVocabulary::child(const TrieNode& node, std::uint8_t byte) const {
  if (node.depth == 0) return {first_[byte], first_[byte + 1u], 1};
  const std::uint32_t from = complete(node);
  const std::uint32_t begin = first_not_below(node, from, byte);
  return {begin, first_not_below(node, begin, byte + 1), node.depth + 1};
}

}  // namespace consort
