#include "memory/retrieval/item.h"

#include <algorithm>

#include <openssl/sha.h>

#include "memory/retrieval/analyzer.h"

namespace consort {

std::string item_id_text(const ItemId& id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const auto byte : id) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::optional<ItemId> parse_item_id(std::string_view text) {
  ItemId id{};
  if (text.size() != 2 * id.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    id[i / 2] = static_cast<std::uint8_t>(id[i / 2] << 4 | digit);
  }
  return id;
}

TextDigest text_digest(std::string_view text) {
  std::string normal;
  bool blank = false;
  for (const char c : to_nfc(text)) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      blank = !normal.empty();
      continue;
    }
    if (blank) normal.push_back(' ');
    blank = false;
    normal.push_back(c);
  }
  TextDigest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(normal.data()), normal.size(), digest.data());
  return digest;
}

ItemId make_item_id(std::string_view external_id, const TextDigest& digest) {
  // One letter before what is hashed keeps the two kinds of identity apart.
  std::string source = external_id.empty() ? std::string("t") : std::string("x");
  if (external_id.empty()) {
    source.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  } else {
    source.append(external_id);
  }
  TextDigest hash{};
  SHA256(reinterpret_cast<const unsigned char*>(source.data()), source.size(), hash.data());
  ItemId id{};
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}

}  // namespace consort
