#include "models/arch/magika/features.h"

#include <algorithm>
#include <string_view>

#include "models/tokenizer/utf8.h"

namespace consort::magika {
namespace {

bool is_space(std::byte b) {
  const int c = std::to_integer<int>(b);
  return (c >= 0x09 && c <= 0x0d) || c == 0x20;
}

bool valid_utf8(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = utf8_at(text, at);
    if (c.code == kBrokenUtf8) return false;
    at += c.bytes;
  }
  return true;
}

}  // namespace

Features read_features(std::span<const std::byte> file) {
  Features f;
  f.tokens.fill(kPadding);
  const std::size_t n = std::min(kBlock, file.size());
  std::span<const std::byte> front = file.first(n), end = file.last(n);
  while (!front.empty() && is_space(front.front())) front = front.subspan(1);
  while (!end.empty() && is_space(end.back())) end = end.first(end.size() - 1);
  front = front.first(std::min<std::size_t>(front.size(), kHalf));
  end = end.last(std::min<std::size_t>(end.size(), kHalf));
  const auto token = [](std::byte b) { return std::to_integer<std::int16_t>(b); };
  std::transform(front.begin(), front.end(), f.tokens.begin(), token);
  std::transform(end.begin(), end.end(), f.tokens.end() - std::ssize(end), token);
  if (file.empty())
    f.label = "empty";
  else if (front.size() < kMinBytes)  // a smaller file has no more either
    f.label = valid_utf8(file.first(n)) ? "txt" : "unknown";
  return f;
}

}  // namespace consort::magika
