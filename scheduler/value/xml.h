// Text for XML and HTML. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace consort {

// & < > " as entities, for text and attributes alike. Control characters are left out; line ends stay with
// `keep_lines`. `text` is UTF-8.
std::string escape_xml(std::string_view text, bool keep_lines = false);

}  // namespace consort
