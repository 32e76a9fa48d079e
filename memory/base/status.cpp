#include "memory/base/status.h"

namespace consort {

Error::Error() = default;
Error::Error(ErrorKind kind, std::string what, std::string where, std::string hint)
    : kind(kind), what(std::move(what)), where(std::move(where)), hint(std::move(hint)) {}
Error::Error(const Error& other) = default;
Error::Error(Error&& other) noexcept = default;
Error& Error::operator=(const Error& other) = default;
Error& Error::operator=(Error&& other) noexcept = default;
Error::~Error() = default;

tl::unexpected<Error> fail(ErrorKind kind, std::string what, std::string where, std::string hint) {
  return tl::unexpected<Error>(Error(kind, std::move(what), std::move(where), std::move(hint)));
}

std::string Error::line() const {
  std::string out = "consort: " + what;
  if (!where.empty()) out += " (" + where + ")";
  if (!hint.empty()) out += ": " + hint;
  return out;
}

std::string_view error_kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage: return "usage";
    case ErrorKind::kInvalid: return "invalid";
    case ErrorKind::kCorrupt: return "corrupt";
    case ErrorKind::kUnsupported: return "unsupported";
    case ErrorKind::kNotFound: return "notFound";
    case ErrorKind::kUnavailable: return "unavailable";
    case ErrorKind::kMemory: return "memory";
    case ErrorKind::kTimeout: return "timeout";
    case ErrorKind::kCancelled: return "cancelled";
    case ErrorKind::kBudget: return "budget";
    case ErrorKind::kRuntime: return "runtime";
    case ErrorKind::kIo: return "io";
  }
  return "runtime";
}

int exit_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage: return 2;
    case ErrorKind::kInvalid:
    case ErrorKind::kCorrupt:
    case ErrorKind::kUnsupported: return 3;
    case ErrorKind::kNotFound:
    case ErrorKind::kUnavailable: return 4;
    case ErrorKind::kCancelled: return 130;
    case ErrorKind::kMemory:
    case ErrorKind::kTimeout:
    case ErrorKind::kBudget:
    case ErrorKind::kRuntime:
    case ErrorKind::kIo: return 5;
  }
  return 5;
}

}  // namespace consort
