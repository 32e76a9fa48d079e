// Strictness that the JSON library does not give: duplicate keys and deep nesting are errors. Callers parse
// the text with the library afterwards, in their own .cpp files.
#pragma once

#include <string_view>

namespace consort {

// Throws FormatError(kCorrupt) for malformed JSON (names the byte), a key that stands twice in one object, or
// more than max_depth levels; the outermost value is level 1. `what` begins the message: "config.json".
void check_json(std::string_view text, std::size_t max_depth, std::string_view what);

}  // namespace consort
