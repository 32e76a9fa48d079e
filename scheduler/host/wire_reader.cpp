#include "scheduler/host/wire_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "memory/base/text.h"
#include "scheduler/value/utf8.h"

namespace consort {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool to_text(const Value& v, std::string& out) {
  if (v.is_string()) {
    out = v.as_string();
    return true;
  }
  const Value* coded = v.size() == 1 ? v.find("base64") : nullptr;
  if (coded == nullptr || !coded->is_string()) return false;
  auto bytes = base64_decode(coded->as_string());
  if (!bytes) return false;
  out = std::move(*bytes);
  return true;
}

bool to_number(const Value& v, double& out) {
  if (v.is_number()) {
    out = v.as_number();
    return true;
  }
  if (!v.is_string()) return false;
  const std::string& s = v.as_string();
  constexpr double kInf = std::numeric_limits<double>::infinity();
  if (s == "nan")
    out = std::numeric_limits<double>::quiet_NaN();
  else if (s == "inf")
    out = kInf;
  else if (s == "-inf")
    out = -kInf;
  else
    return false;
  return true;
}

}  // namespace

Value wire_text(std::string_view bytes) {
  if (utf8::valid(bytes)) return Value(bytes);
  return Value::object({{"base64", Value(base64(bytes))}});
}

Value wire_number(double d) {
  if (std::isfinite(d)) return Value(d);
  return Value(std::isnan(d) ? "nan" : d > 0 ? "inf" : "-inf");
}

Value wire_tokens(const std::vector<TokenId>& ids) {
  Value::Array out;
  out.reserve(ids.size());
  for (const TokenId id : ids) out.emplace_back(static_cast<std::int64_t>(id));
  return Value::array(std::move(out));
}

Value wire_texts(const std::vector<std::string>& texts) {
  Value::Array out;
  out.reserve(texts.size());
  for (const auto& t : texts) out.push_back(wire_text(t));
  return Value::array(std::move(out));
}

Result<std::string> base64_decode(std::string_view text) {
  const auto bad = [] { return fail(ErrorKind::kInvalid, "malformed base64"); };
  if (text.size() % 4 != 0) return bad();
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t bits = 0;
    int pad = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const char c = text[i + k];
      const std::size_t at = kAlphabet.find(c);
      if (c == '=' && k >= 2 && i + 4 == text.size())
        ++pad;
      else if (pad > 0 || at == std::string_view::npos)
        return bad();
      bits = bits << 6 | (at == std::string_view::npos ? 0u : static_cast<std::uint32_t>(at));
    }
    if ((pad == 1 && (bits & 0xFF) != 0) || (pad == 2 && (bits & 0xFFFF) != 0)) return bad();
    out += static_cast<char>(bits >> 16);
    if (pad < 2) out += static_cast<char>(bits >> 8);
    if (pad < 1) out += static_cast<char>(bits);
  }
  return out;
}

WireReader::WireReader(const Value& value, std::string where) : value_(value), where_(std::move(where)) {
  if (!value.is_object()) {
    problem_ = true;
    what_ = "an object was expected";
  }
}

const Value* WireReader::find(std::string_view key, Presence presence) {
  seen_.push_back(key);
  const Value* v = value_.find(key);
  if (v == nullptr && presence == Presence::kRequired) fail_at(key, "is missing");
  return v;
}

void WireReader::fail_at(std::string_view key, std::string what) {
  if (problem_) return;
  problem_ = true;
  what_ = fmt::format("'{}' {}", key, what);
}

void WireReader::read(std::string_view key, bool& out, Presence presence) {
  const Value* v = find(key, presence);
  if (v == nullptr) return;
  if (!v->is_bool()) return fail_at(key, "is not true or false");
  out = v->as_bool();
}

void WireReader::read(std::string_view key, std::int64_t& out, Presence presence) {
  const Value* v = find(key, presence);
  if (v == nullptr) return;
  if (!v->is_integer()) return fail_at(key, "is not an integer");
  out = v->as_integer();
}

void WireReader::read(std::string_view key, int& out, Presence presence) {
  std::int64_t wide = out;
  read(key, wide, presence);
  if (wide < std::numeric_limits<int>::min() || wide > std::numeric_limits<int>::max())
    return fail_at(key, "is out of range");
  out = static_cast<int>(wide);
}

void WireReader::read(std::string_view key, std::uint64_t& out, Presence presence) {
  auto twin = std::bit_cast<std::int64_t>(out);
  read(key, twin, presence);
  out = std::bit_cast<std::uint64_t>(twin);
}

void WireReader::read(std::string_view key, double& out, Presence presence) {
  const Value* v = find(key, presence);
  if (v != nullptr && !to_number(*v, out)) fail_at(key, "is not a number");
}

void WireReader::read(std::string_view key, std::string& out, Presence presence) {
  const Value* v = find(key, presence);
  if (v != nullptr && !to_text(*v, out)) fail_at(key, "is not a text");
}

void WireReader::read(std::string_view key, std::vector<TokenId>& out, Presence presence) {
  const Value* v = find(key, presence);
  if (v == nullptr) return;
  if (!v->is_array()) return fail_at(key, "is not a list of token ids");
  out.clear();
  out.reserve(v->size());
  for (const Value& item : v->as_array()) {
    if (!item.is_integer() || item.as_integer() < 0 ||
        item.as_integer() > std::numeric_limits<TokenId>::max())
      return fail_at(key, "is not a list of token ids");
    out.push_back(static_cast<TokenId>(item.as_integer()));
  }
}

void WireReader::read(std::string_view key, std::vector<std::string>& out, Presence presence) {
  const Value* v = find(key, presence);
  if (v == nullptr) return;
  if (!v->is_array()) return fail_at(key, "is not a list of texts");
  out.assign(v->size(), {});
  for (std::size_t i = 0; i < out.size(); ++i)
    if (!to_text(v->as_array()[i], out[i])) return fail_at(key, "is not a list of texts");
}

void WireReader::read(std::string_view key, std::vector<bool>& out, Presence presence) {
  const Value* v = find(key, presence);
  if (v == nullptr) return;
  if (!v->is_array()) return fail_at(key, "is not a list of true and false");
  out.clear();
  for (const Value& item : v->as_array()) {
    if (!item.is_bool()) return fail_at(key, "is not a list of true and false");
    out.push_back(item.as_bool());
  }
}

void WireReader::read(std::string_view key, std::vector<double>& out, Presence presence) {
  const Value* v = find(key, presence);
  if (v == nullptr) return;
  if (!v->is_array()) return fail_at(key, "is not a list of numbers");
  out.assign(v->size(), 0);
  for (std::size_t i = 0; i < out.size(); ++i)
    if (!to_number(v->as_array()[i], out[i])) return fail_at(key, "is not a list of numbers");
}

const Value* WireReader::take(std::string_view key, Value::Type type, Presence presence) {
  const Value* v = find(key, presence);
  if (v != nullptr && v->type() != type) {
    fail_at(key, "has the wrong type");
    return nullptr;
  }
  return v;
}

const Value* WireReader::take_any(std::string_view key) {
  return find(key, Presence::kOptional);
}

Status WireReader::finish() {
  if (!problem_) {
    for (const auto& [key, value] : value_.as_object())
      if (std::find(seen_.begin(), seen_.end(), key) == seen_.end()) fail_at(key, "is not a known key");
  }
  if (problem_) return fail(ErrorKind::kInvalid, what_, where_);
  return {};
}

}  // namespace consort
