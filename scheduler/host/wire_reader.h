// Reading and writing of message bodies: every key once, every type checked, unknown keys refused. Bytes that
// are not UTF-8 travel as {"base64": ...}, numbers that are not finite as "nan", "inf" or "-inf", and
// unsigned 64-bit numbers as their signed twin.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "models/tokenizer/tokenizer.h"
#include "scheduler/value/value.h"

namespace consort {

Value wire_text(std::string_view bytes);
Value wire_number(double d);
Value wire_tokens(const std::vector<TokenId>& ids);
Value wire_texts(const std::vector<std::string>& texts);
Result<std::string> base64_decode(std::string_view text);  // kInvalid for anything but padded RFC 4648

// Reads one object. The first problem is kept; finish() reports it. Thread: one at a time.
class WireReader {
 public:
  // `value` must outlive the reader. `where`: for messages, e.g. "generate request".
  WireReader(const Value& value, std::string where);

  enum class Presence { kRequired, kOptional };
  void read(std::string_view key, bool& out, Presence presence = Presence::kRequired);
  void read(std::string_view key, int& out, Presence presence = Presence::kRequired);
  void read(std::string_view key, std::int64_t& out, Presence presence = Presence::kRequired);
  void read(std::string_view key, std::uint64_t& out, Presence presence = Presence::kRequired);
  void read(std::string_view key, double& out, Presence presence = Presence::kRequired);
  void read(std::string_view key, std::string& out, Presence presence = Presence::kRequired);
  void read(std::string_view key, std::vector<TokenId>& out, Presence presence = Presence::kRequired);
  void read(std::string_view key, std::vector<std::string>& out, Presence presence = Presence::kRequired);
  void read(std::string_view key, std::vector<bool>& out, Presence presence = Presence::kRequired);
  void read(std::string_view key, std::vector<double>& out, Presence presence = Presence::kRequired);
  // A nested value to be read by the caller; null when absent.
  const Value* take(std::string_view key, Value::Type type, Presence presence = Presence::kRequired);
  const Value* take_any(std::string_view key);
  void fail_at(std::string_view key, std::string what);  // the caller found the value wrong
  Status finish();                                       // errors: kInvalid; also for keys that nobody read

  bool good() const { return !problem_; }

 private:
  const Value* find(std::string_view key, Presence presence);
  const Value& value_;
  const std::string where_;
  std::vector<std::string_view> seen_;
  bool problem_ = false;
  std::string what_;
};

}  // namespace consort
