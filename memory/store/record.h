// RecordWriter and RecordReader: the bytes of stored values and keys. A value begins with its own version
// byte, so that old records stay readable and newer ones are refused by name; keys are big-endian so that
// byte order is number order. Reading checks every length before use.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "memory/base/status.h"

namespace consort {

// Appends fields to a string. Integers of keys are big-endian; of values, LEB128 varints.
class RecordWriter {
 public:
  RecordWriter() = default;  // for keys: no version byte
  explicit RecordWriter(std::uint8_t version) { bytes_.push_back(static_cast<char>(version)); }

  RecordWriter& u8(std::uint8_t v);
  RecordWriter& u32_be(std::uint32_t v);
  RecordWriter& u64_be(std::uint64_t v);
  RecordWriter& varint(std::uint64_t v);
  RecordWriter& zigzag(std::int64_t v);        // signed varint
  RecordWriter& f64(double v);                 // bit pattern, little-endian
  RecordWriter& bytes(std::string_view v);     // length as varint, then the bytes
  RecordWriter& raw(std::string_view v);       // the bytes alone
  RecordWriter& key_text(std::string_view v);  // 2-byte big-endian length, then the bytes (at most 65535)

  const std::string& view() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads the same fields back. After the first field that does not fit, ok() is false and every later field
// reads as zero or empty; check once at the end with finish().
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t u8();
  std::uint32_t u32_be();
  std::uint64_t u64_be();
  std::uint64_t varint();
  std::int64_t zigzag();
  double f64();
  std::string_view bytes();  // a view into the record
  std::string_view raw(std::size_t length);
  std::string_view key_text();
  std::string_view rest() { return raw(rest_.size()); }

  bool ok() const { return ok_; }
  std::size_t left() const { return rest_.size(); }
  // ok() and nothing left over; kCorrupt with `what` otherwise.
  Status finish(std::string_view what) const;

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace consort
