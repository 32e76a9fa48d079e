// Finding: one thing that is wrong with a workflow document, with the place where it stands.
#pragma once

#include <string>
#include <vector>

#include "scheduler/value/value.h"

namespace consort {

struct Finding {
  std::string pointer;  // JSON Pointer (RFC 6901) into the document; "" is the whole document
  std::string kind;     // "invalid" | "unsupported" (a word of the language that this build does not execute)
  std::string message;
};

Value findings_to_value(const std::vector<Finding>& findings);  // [{pointer, kind, message}, ...]
// One Error for all of them: kInvalid, or kUnsupported when every finding is of that kind. REQUIRES: not
// empty.
Error findings_error(const std::vector<Finding>& findings, std::string_view where);

}  // namespace consort
