#include "scheduler/value/digest.h"

#include <xxhash.h>

#include <algorithm>
#include <vector>

namespace consort {
namespace {

void append_canonical(std::string& out, const Value& v) {
  if (v.is_array()) {
    out.push_back('[');
    bool first = true;
    for (const Value& item : v.as_array()) {
      if (!first) out.push_back(',');
      first = false;
      append_canonical(out, item);
    }
    out.push_back(']');
    return;
  }
  if (!v.is_object()) return append_json(out, v);
  std::vector<const Value::Member*> members;
  members.reserve(v.size());
  for (const Value::Member& member : v.as_object()) members.push_back(&member);
  std::sort(members.begin(), members.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
  out.push_back('{');
  for (const Value::Member* member : members) {
    if (member != members.front()) out.push_back(',');
    append_json_string(out, member->first);
    out.push_back(':');
    append_canonical(out, member->second);
  }
  out.push_back('}');
}

}  // namespace

std::string canonical_json(const Value& v) {
  std::string out;
  append_canonical(out, v);
  return out;
}

std::string value_digest(const Value& v) {
  return bytes_digest(canonical_json(v));
}

std::string bytes_digest(std::string_view text) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, XXH3_128bits(text.data(), text.size()));
  static constexpr char kHex[] = "0123456789abcdef";
  std::string digest;
  for (const unsigned char byte : bytes.digest) {
    digest.push_back(kHex[byte >> 4]);
    digest.push_back(kHex[byte & 15]);
  }
  return digest;
}

}  // namespace consort
