// Text operations as Python's str has them: white space, case and characters are Unicode's; the marks of
// outside bytes follow their characters.
#pragma once

#include <cstdint>
#include <string>

#include "models/tokenizer/jinja/value.h"

namespace consort::jinja {

// Takes characters of `*set` (nullptr: white space, str.isspace) from the ends.
Text strip(const Text& text, const std::string* set, bool left, bool right);

// At most `limit` cuts (negative: all). REQUIRES: a separator that is not empty.
List split(const Text& text, const std::string& separator, std::int64_t limit, bool from_right);
List split_at_blanks(const Text& text, std::int64_t limit);

enum class Case { kUpper, kLower };
Text mapped(const Text& text, Case wanted);
// First letter upper, the others lower: of the text (str.capitalize), of every run of letters (str.title), or
// of what stands behind white space, a hyphen or an opening bracket (Jinja's filter).
enum class Words { kOne, kLetters, kSpaced };
Text capitalised(const Text& text, Words words);

}  // namespace consort::jinja
