// @text @json @uri @base64, and JSON text as jq prints it.
#include <algorithm>
#include <cmath>

#include "scheduler/expression/builtins.h"
#include "scheduler/expression/evaluation.h"

namespace consort::jq {
namespace {

void append_uri(std::string& out, std::string_view text) {
  constexpr std::string_view kPlain = "-_.!~*'()";  // RFC 2396 unreserved, as jq 1.6
  constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (word || (c != '\0' && kPlain.find(c) != std::string_view::npos)) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
}

void append_base64(std::string& out, std::string_view bytes) {
  constexpr char kCode[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      group = (group << 8) | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= have ? kCode[(group >> (18 - 6 * k)) & 63] : '=';
    }
  }
}

}  // namespace

void append_jq_json(std::string& out, const Value& v) {
  switch (v.type()) {
    case Value::Type::kNumber: {
      const double d = v.as_number();
      constexpr double kPlainBelow = 1e17;  // whole floats below print as integers, as jq does
      if (d == std::trunc(d) && std::fabs(d) < kPlainBelow) {
        if (d == 0 && std::signbit(d)) out += '-';
        out += std::to_string(static_cast<std::int64_t>(d));
      } else {
        append_json_number(out, d);
        if (out.ends_with(".0")) out.resize(out.size() - 2);
      }
      return;
    }
    case Value::Type::kArray: {
      out += '[';
      bool first = true;
      for (const Value& item : v.as_array()) {
        if (!first) out += ',';
        first = false;
        append_jq_json(out, item);
      }
      out += ']';
      return;
    }
    case Value::Type::kObject: {
      out += '{';
      bool first = true;
      for (const auto& [key, item] : v.as_object()) {
        if (!first) out += ',';
        first = false;
        append_json_string(out, key);
        out += ':';
        append_jq_json(out, item);
      }
      out += '}';
      return;
    }
    default:
      append_json(out, v);
  }
}

bool apply_format(Evaluation& evaluation, const Node& node, Format format, const Value& v, std::string& out) {
  if (!evaluation.charge_bytes(node, v.approximate_bytes())) return false;
  std::string made;
  const std::string* text = &made;
  if (v.is_string() && format != Format::kJson) {
    text = &v.as_string();
  } else {
    append_jq_json(made, v);
  }
  switch (format) {
    case Format::kText:
    case Format::kJson:
      out += *text;
      break;
    case Format::kUri:
      append_uri(out, *text);
      break;
    case Format::kBase64:
      append_base64(out, *text);
      break;
  }
  return true;
}

}  // namespace consort::jq
