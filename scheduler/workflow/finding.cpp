#include "scheduler/workflow/finding.h"

#include <algorithm>

namespace consort {

Value findings_to_value(const std::vector<Finding>& findings) {
  Value::Array items;
  items.reserve(findings.size());
  for (const Finding& finding : findings)
    items.push_back(
        Value::object({{"pointer", finding.pointer}, {"kind", finding.kind}, {"message", finding.message}}));
  return Value::array(std::move(items));
}

Error findings_error(const std::vector<Finding>& findings, std::string_view where) {
  const bool unsupported =
      std::all_of(findings.begin(), findings.end(), [](const Finding& f) { return f.kind == "unsupported"; });
  constexpr std::size_t kShown = 5;
  std::string what =
      std::to_string(findings.size()) +
      (findings.size() == 1 ? " finding in the workflow document" : " findings in the workflow document");
  for (std::size_t i = 0; i < findings.size() && i < kShown; ++i) {
    const Finding& finding = findings[i];
    what += i == 0 ? ": " : "; ";
    what +=
        (finding.pointer.empty() ? std::string("the document") : finding.pointer) + ": " + finding.message;
  }
  if (findings.size() > kShown) what += "; ...";
  return Error{unsupported ? ErrorKind::kUnsupported : ErrorKind::kInvalid, std::move(what),
               std::string(where), "see all of them with: consort workflow validate"};
}

}  // namespace consort
