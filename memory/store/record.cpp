#include "memory/store/record.h"

#include <bit>
#include <cstring>

namespace consort {

RecordWriter& RecordWriter::u8(std::uint8_t v) {
  bytes_.push_back(static_cast<char>(v));
  return *this;
}

RecordWriter& RecordWriter::u32_be(std::uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes_.push_back(static_cast<char>(v >> shift));
  return *this;
}

RecordWriter& RecordWriter::u64_be(std::uint64_t v) {
  for (int shift = 56; shift >= 0; shift -= 8) bytes_.push_back(static_cast<char>(v >> shift));
  return *this;
}

RecordWriter& RecordWriter::varint(std::uint64_t v) {
  while (v >= 0x80) {
    bytes_.push_back(static_cast<char>(v | 0x80));
    v >>= 7;
  }
  bytes_.push_back(static_cast<char>(v));
  return *this;
}

RecordWriter& RecordWriter::zigzag(std::int64_t v) {
  return varint((static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63));
}

RecordWriter& RecordWriter::f64(double v) {
  const auto bits = std::bit_cast<std::uint64_t>(v);
  for (int shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<char>(bits >> shift));
  return *this;
}

RecordWriter& RecordWriter::bytes(std::string_view v) {
  varint(v.size());
  bytes_.append(v);
  return *this;
}

RecordWriter& RecordWriter::raw(std::string_view v) {
  bytes_.append(v);
  return *this;
}

RecordWriter& RecordWriter::key_text(std::string_view v) {
  bytes_.push_back(static_cast<char>(v.size() >> 8));
  bytes_.push_back(static_cast<char>(v.size()));
  bytes_.append(v);
  return *this;
}

std::string_view RecordReader::raw(std::size_t length) {
  if (!ok_ || length > rest_.size()) {
    ok_ = false;
    return {};
  }
  const std::string_view taken = rest_.substr(0, length);
  rest_.remove_prefix(length);
  return taken;
}

std::uint8_t RecordReader::u8() {
  const auto b = raw(1);
  return b.empty() ? 0 : static_cast<std::uint8_t>(b[0]);
}

std::uint32_t RecordReader::u32_be() {
  std::uint32_t v = 0;
  for (const char c : raw(4)) v = (v << 8) | static_cast<std::uint8_t>(c);
  return v;
}

std::uint64_t RecordReader::u64_be() {
  std::uint64_t v = 0;
  for (const char c : raw(8)) v = (v << 8) | static_cast<std::uint8_t>(c);
  return v;
}

std::uint64_t RecordReader::varint() {
  std::uint64_t v = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto b = u8();
    if (!ok_) return 0;
    if (shift == 63 && b > 1) break;  // more than 64 bits
    v |= static_cast<std::uint64_t>(b & 0x7f) << shift;
    if (b < 0x80) return v;
  }
  ok_ = false;
  return 0;
}

std::int64_t RecordReader::zigzag() {
  const std::uint64_t v = varint();
  return static_cast<std::int64_t>((v >> 1) ^ (~(v & 1) + 1));
}

double RecordReader::f64() {
  std::uint64_t bits = 0;
  int shift = 0;
  for (const char c : raw(8)) {
    bits |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(c)) << shift;
    shift += 8;
  }
  return std::bit_cast<double>(bits);
}

std::string_view RecordReader::bytes() {
  const std::uint64_t length = varint();
  if (!ok_ || length > rest_.size()) {
    ok_ = false;
    return {};
  }
  return raw(static_cast<std::size_t>(length));
}

std::string_view RecordReader::key_text() {
  const std::size_t high = u8();
  const std::size_t low = u8();
  return ok_ ? raw(high << 8 | low) : std::string_view{};
}

Status RecordReader::finish(std::string_view what) const {
  if (!ok_) return fail(ErrorKind::kCorrupt, std::string(what) + " is cut short");
  if (!rest_.empty()) return fail(ErrorKind::kCorrupt, std::string(what) + " has bytes left over");
  return {};
}

}  // namespace consort
