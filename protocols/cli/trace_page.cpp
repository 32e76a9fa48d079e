#include "protocols/cli/trace_page.h"

#include <string_view>

namespace consort {
namespace {

constexpr std::string_view kPage =
#include "protocols/cli/trace_page.html.inc"
    ;
constexpr std::string_view kMark = "__CONSORT_DATA__";

// JSON inside a <script> element: "<" must not open a tag or a comment there (HTML, script data state).
std::string script_safe(const std::string& json) {
  std::string out;
  out.reserve(json.size());
  for (char c : json) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string trace_page(const Value& trace, const Value& report, const Value& input, const Value& media) {
  const std::string data = script_safe(
      write_json(Value::object({{"trace", trace}, {"report", report}, {"input", input}, {"media", media}})));
  std::string page(kPage);
  page.replace(page.find(kMark), kMark.size(), data);
  return page;
}

}  // namespace consort
