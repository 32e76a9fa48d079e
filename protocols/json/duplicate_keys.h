// Duplicate keys of a JSON text, each with its pointer: the strict reader stops at the first.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/value/value.h"

namespace consort {

struct DuplicateKeys {
  std::vector<std::string> pointers;  // of every key that stands in its object already, in order
  std::optional<Value> document;      // the text with the last of each key, to look for more findings
};

// Empty when the text has none or is no JSON at all.
DuplicateKeys find_duplicate_keys(std::string_view text);

}  // namespace consort
