#include "scheduler/value/xml.h"

namespace consort {

std::string escape_xml(std::string_view text, bool keep_lines) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 || (keep_lines && c == '\n')) out += c;
    }
  }
  return out;
}

}  // namespace consort
