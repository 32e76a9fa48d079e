// ByteReader: a cursor over bytes from outside in which every read is checked against the end. FormatError:
// the exception of the loading code in this room, caught at the room's border (open_weights).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "memory/base/status.h"

namespace consort {

static_assert(std::endian::native == std::endian::little,
              "weight files are little-endian and read as they lie");

struct FormatError : std::exception {
  explicit FormatError(Error e) : error(std::move(e)) {}
  FormatError(ErrorKind kind, std::string what, std::string where = {}, std::string hint = {})
      : error{kind, std::move(what), std::move(where), std::move(hint)} {}
  const char* what() const noexcept override { return error.what.c_str(); }
  Error error;
};

// A name from a file, safe to print: bytes that are not printable ASCII become \xNN, long names are cut.
inline std::string printable(std::string_view name) {
  static constexpr char kHex[] = "0123456789abcdef";
  constexpr std::size_t kMaxShown = 160;
  std::string text;
  for (const char c : name.substr(0, kMaxShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f)
      text += c;
    else
      text += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
  }
  return name.size() > kMaxShown ? text + "..." : text;
}

// a * b, or false when it does not fit.
inline bool checked_multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }

  // Throws FormatError(kCorrupt) unless `count` items of at least `item_bytes` can still follow.
  void need(std::uint64_t count, std::size_t item_bytes, const char* what) const {
    if (count > remaining() / item_bytes)
      throw FormatError(ErrorKind::kCorrupt, std::string(what) + " reaches past the end of the file");
  }
  template <typename T>
  T number(const char* what) {
    static_assert(std::is_arithmetic_v<T>);
    need(1, sizeof(T), what);
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }
  std::string_view text(std::uint64_t length, const char* what) {
    need(length, 1, what);
    std::string_view view(reinterpret_cast<const char*>(bytes_.data()) + position_, length);
    position_ += length;
    return view;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
};

}  // namespace consort
