// Bytes for people and for JSON.
#pragma once

#include <string>
#include <string_view>

namespace consort {

// The bytes as UTF-8; each maximal broken part becomes one U+FFFD (Unicode 15, section 3.9, practice of
// substituting maximal subparts). `replaced` says whether that happened.
std::string to_utf8(std::string_view bytes, bool& replaced);

std::string base64(std::string_view bytes);

}  // namespace consort
