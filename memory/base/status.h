// Status and Result: how every path that a request can reach reports failure. No exception crosses a room's
// border on such a path; exceptions are for loading and configuration, caught once.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace consort {

// What went wrong, coarse enough to choose an exit status, a retry policy or an RFC 9457 type from it.
enum class ErrorKind {
  kUsage,        // wrong command line (exit 2)
  kInvalid,      // input or configuration is wrong: bad type, unknown key, malformed file (exit 3)
  kCorrupt,      // a file or record is damaged: truncated, checksum differs (exit 3)
  kUnsupported,  // well-formed, but this build does not do it (exit 3)
  kNotFound,     // a model, file or resource is missing (exit 4)
  kUnavailable,  // exists, but cannot be used now: locked store, full queue, vanished peer (exit 4 or 5)
  kMemory,       // a memory budget is exhausted (exit 5)
  kTimeout,      // a deadline has passed (exit 5)
  kCancelled,    // somebody asked to stop (exit 130 when it was Ctrl-C)
  kBudget,       // a token, call or time budget is spent (exit 5)
  kRuntime,      // failed at run time, also a workflow's `raise` (exit 5)
  kIo,           // the operating system said no: disk full, permission (exit 5)
};

// One error: what happened, where (file, task pointer, option), and what the reader can do about it.
struct Error {
  // Copying and the rest stand in status.cpp: three strings would be written out at every CONSORT_TRY
  // otherwise.
  Error();
  Error(ErrorKind kind, std::string what, std::string where = {}, std::string hint = {});
  Error(const Error& other);
  Error(Error&& other) noexcept;
  Error& operator=(const Error& other);
  Error& operator=(Error&& other) noexcept;
  ~Error();

  ErrorKind kind = ErrorKind::kRuntime;
  std::string what;   // "unknown pre-tokenizer 'smaug-bpe'"
  std::string where;  // "model.gguf, key tokenizer.ggml.pre"; may be empty
  std::string hint;   // "convert the model again with a supported pre-tokenizer"; may be empty

  // "consort: <what> (<where>): <hint>", the one line of the command line contract (docs: README, exit
  // status).
  std::string line() const;
};

std::string_view error_kind_name(ErrorKind kind);  // "invalid", "notFound", ... (urn:consort:error:<name>)
int exit_status(ErrorKind kind);                   // the exit status of the command line contract

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

tl::unexpected<Error> fail(ErrorKind kind, std::string what, std::string where = {}, std::string hint = {});

// Forwards a failure: `if (auto s = f(); !s) return forward(s);` for Results of any type.
template <typename T>
tl::unexpected<Error> forward_error(Result<T>&& result) {
  return tl::unexpected<Error>(std::move(result).error());
}
template <typename T>
tl::unexpected<Error> forward_error(Result<T>& result) {
  return tl::unexpected<Error>(std::move(result.error()));
}

}  // namespace consort

// CONSORT_TRY(var, expr): `var` is the value of the Result `expr`, or the function returns its error.
#define CONSORT_CONCAT_INNER(a, b) a##b
#define CONSORT_CONCAT(a, b) CONSORT_CONCAT_INNER(a, b)
#define CONSORT_TRY(var, expr)                                               \
  auto CONSORT_CONCAT(consort_try_, __LINE__) = (expr);                      \
  if (!CONSORT_CONCAT(consort_try_, __LINE__))                               \
    return ::consort::forward_error(CONSORT_CONCAT(consort_try_, __LINE__)); \
  auto var = std::move(*CONSORT_CONCAT(consort_try_, __LINE__))
// CONSORT_CHECK_OK(expr): returns the error of a Status or Result, discards its value.
#define CONSORT_CHECK_OK(expr)                                                                          \
  do {                                                                                                  \
    if (auto consort_status = (expr); !consort_status) return ::consort::forward_error(consort_status); \
  } while (0)
