// ProtoReader: a cursor over the fields of one protobuf message (wire format of the Protocol Buffers encoding
// guide). Lengths are checked against the message, nothing is copied, nested messages are read by a reader of
// their own, so that depth is the caller's. Private to this room; throws FormatError(kCorrupt).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "models/formats/byte_reader.h"

namespace consort {

class ProtoReader {
 public:
  explicit ProtoReader(std::span<const std::byte> message) : bytes_(message), reader_(message) {}

  enum class Wire : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  // Goes to the next field and reads its value; false at the end of the message.
  bool next() {
    if (reader_.remaining() == 0) return false;
    const std::uint64_t tag = varint();
    field_ = tag >> 3;
    if (field_ == 0 || field_ > kMaxField)
      throw FormatError(ErrorKind::kCorrupt, "a protobuf field has a number that does not exist");
    switch (tag & 7) {
      case 0:
        wire_ = Wire::kVarint;
        number_ = varint();
        return true;
      case 1:
        wire_ = Wire::kFixed64;
        number_ = reader_.number<std::uint64_t>("a protobuf field");
        return true;
      case 2: {
        wire_ = Wire::kBytes;
        const std::uint64_t length = varint();
        const std::size_t at = reader_.position();
        reader_.text(length, "a protobuf field");
        value_ = bytes_.subspan(at, length);
        return true;
      }
      case 5:
        wire_ = Wire::kFixed32;
        number_ = reader_.number<std::uint32_t>("a protobuf field");
        return true;
      default:  // groups are long deprecated and stand in no file that is read here
        throw FormatError(ErrorKind::kCorrupt, "a protobuf field has an unknown wire type");
    }
  }

  std::uint64_t field() const { return field_; }
  Wire wire() const { return wire_; }
  // Of a varint, fixed64 or fixed32 field.
  std::uint64_t number() const { return number_; }
  std::int64_t integer() const { return static_cast<std::int64_t>(number_); }
  // Of a length-delimited field; empty for others.
  std::span<const std::byte> bytes() const {
    return wire_ == Wire::kBytes ? value_ : std::span<const std::byte>{};
  }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes().data()), bytes().size()}; }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      const auto byte = reader_.number<std::uint8_t>("a protobuf number");
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    throw FormatError(ErrorKind::kCorrupt, "a protobuf number has more than 64 bits");
  }
  bool at_end() const { return reader_.remaining() == 0; }

 private:
  static constexpr std::uint64_t kMaxField = (1u << 29) - 1;

  std::span<const std::byte> bytes_, value_;
  ByteReader reader_;
  std::uint64_t field_ = 0, number_ = 0;
  Wire wire_ = Wire::kVarint;
};

}  // namespace consort
