#include <charconv>
#include <cmath>

#include "scheduler/value/value.h"

namespace consort {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void indent(std::string& out, int level) {
  out += '\n';
  out.append(static_cast<std::size_t>(level) * 2, ' ');
}

// level < 0: compact.
void write(std::string& out, const Value& v, int level) {
  const bool pretty = level >= 0;
  const int inner = pretty ? level + 1 : level;
  switch (v.type()) {
    case Value::Type::kNull:
      out += "null";
      return;
    case Value::Type::kBool:
      out += v.as_bool() ? "true" : "false";
      return;
    case Value::Type::kInteger: {
      char digits[24];
      const auto end = std::to_chars(digits, digits + sizeof digits, v.as_integer()).ptr;
      out.append(digits, end);
      return;
    }
    case Value::Type::kNumber:
      append_json_number(out, v.as_number());
      return;
    case Value::Type::kString:
      append_json_string(out, v.as_string());
      return;
    case Value::Type::kArray: {
      out += '[';
      bool first = true;
      for (const Value& item : v.as_array()) {
        if (!first) out += ',';
        first = false;
        if (pretty) indent(out, inner);
        write(out, item, inner);
      }
      if (pretty && !first) indent(out, level);
      out += ']';
      return;
    }
    case Value::Type::kObject: {
      out += '{';
      bool first = true;
      for (const auto& [key, item] : v.as_object()) {
        if (!first) out += ',';
        first = false;
        if (pretty) indent(out, inner);
        append_json_string(out, key);
        out += pretty ? ": " : ":";
        write(out, item, inner);
      }
      if (pretty && !first) indent(out, level);
      out += '}';
      return;
    }
  }
}

}  // namespace

void append_json_number(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  char digits[32];
  const char* end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  const std::string_view text(digits, static_cast<std::size_t>(end - digits));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        out += "\\u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
  }
  out.append(text, plain, text.size() - plain);
  out += '"';
}

void append_json(std::string& out, const Value& v) {
  write(out, v, -1);
}

std::string write_json(const Value& v) {
  std::string out;
  write(out, v, -1);
  return out;
}

std::string write_json_pretty(const Value& v) {
  std::string out;
  write(out, v, 0);
  return out;
}

}  // namespace consort
