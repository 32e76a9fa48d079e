#include "protocols/json/problem_json.h"

namespace consort {
namespace {

// Title and HTTP status of a kind of error, as RFC 9457 asks for them.
struct KindText {
  const char* title;
  int status;
};

KindText kind_text(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage: return {"Wrong usage", 400};
    case ErrorKind::kInvalid: return {"Invalid input", 400};
    case ErrorKind::kCorrupt: return {"Damaged data", 422};
    case ErrorKind::kUnsupported: return {"Not supported by this build", 422};
    case ErrorKind::kNotFound: return {"Not found", 404};
    case ErrorKind::kUnavailable: return {"Not available now", 503};
    case ErrorKind::kMemory: return {"Out of memory", 507};
    case ErrorKind::kTimeout: return {"Deadline passed", 504};
    case ErrorKind::kCancelled: return {"Cancelled", 499};
    case ErrorKind::kBudget: return {"Budget spent", 429};
    case ErrorKind::kRuntime: return {"Failed", 500};
    case ErrorKind::kIo: return {"Input or output failed", 507};
  }
  return {"Failed", 500};
}

Value error_value(const Error& error) {
  const KindText text = kind_text(error.kind);
  Value::Object members{{"type", std::string(kProblemTypePrefix) + std::string(error_kind_name(error.kind))},
                        {"title", text.title},
                        {"status", text.status},
                        {"detail", error.what}};
  if (!error.where.empty()) members.emplace_back("instance", error.where);
  if (!error.hint.empty()) members.emplace_back("hint", error.hint);
  return Value::object(std::move(members));
}

}  // namespace

std::string error_json(const Error& error) { return write_json(error_value(error)); }

std::string problem_json(const Problem& problem) { return write_json(problem_to_value(problem)); }

std::string findings_json(const std::vector<Finding>& findings, std::string_view where) {
  return write_json(error_value(findings_error(findings, where)).with("findings", findings_to_value(findings)));
}

}  // namespace consort
