// JSON Pointer (RFC 6901): names a place in a Value. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "scheduler/value/value.h"

namespace consort {

// '~' becomes "~0", '/' becomes "~1".
std::string escape_pointer_token(std::string_view token);
// pointer + "/" + escaped token (or index).
std::string pointer_join(std::string_view pointer, std::string_view token);
std::string pointer_join(std::string_view pointer, std::size_t index);
// The reference tokens, unescaped. kInvalid when the text is not a pointer (no leading '/', "~2").
Result<std::vector<std::string>> parse_pointer(std::string_view pointer);
// The value at the pointer inside `root` (valid while root lives), nullptr when there is none or the pointer
// is malformed. "" is root itself; array indices have no leading zeros; "-" finds nothing.
const Value* find_pointer(const Value& root, std::string_view pointer);

}  // namespace consort
