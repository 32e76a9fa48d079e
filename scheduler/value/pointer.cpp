#include "scheduler/value/pointer.h"

#include <charconv>

namespace consort {

std::string escape_pointer_token(std::string_view token) {
  std::string out;
  out.reserve(token.size());
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string pointer_join(std::string_view pointer, std::string_view token) {
  std::string out(pointer);
  out += '/';
  out += escape_pointer_token(token);
  return out;
}

std::string pointer_join(std::string_view pointer, std::size_t index) {
  std::string out(pointer);
  out += '/';
  out += std::to_string(index);
  return out;
}

Result<std::vector<std::string>> parse_pointer(std::string_view pointer) {
  std::vector<std::string> tokens;
  if (pointer.empty()) return tokens;
  if (pointer[0] != '/')
    return fail(ErrorKind::kInvalid, "a JSON Pointer starts with '/'", std::string(pointer));
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    const char c = pointer[i];
    if (c == '/') {
      tokens.emplace_back();
    } else if (c == '~') {
      const char code = i + 1 < pointer.size() ? pointer[i + 1] : '\0';
      if (code != '0' && code != '1') {
        return fail(ErrorKind::kInvalid, "in a JSON Pointer '~' is followed by 0 or 1", std::string(pointer));
      }
      tokens.back() += code == '0' ? '~' : '/';
      ++i;
    } else {
      tokens.back() += c;
    }
  }
  return tokens;
}

const Value* find_pointer(const Value& root, std::string_view pointer) {
  const auto tokens = parse_pointer(pointer);
  if (!tokens) return nullptr;
  const Value* at = &root;
  for (const std::string& token : *tokens) {
    if (at->is_object()) {
      at = at->find(token);
      if (!at) return nullptr;
    } else if (at->is_array()) {
      std::size_t index = 0;
      const char* end = token.data() + token.size();
      const auto [stop, error] = std::from_chars(token.data(), end, index);
      const bool plain = !token.empty() && error == std::errc() && stop == end &&
                         (token.size() == 1 || token[0] != '0') && index < at->size();
      if (!plain) return nullptr;
      at = &at->as_array()[index];
    } else {
      return nullptr;
    }
  }
  return at;
}

}  // namespace consort
