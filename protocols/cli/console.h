// Console: where a command's words go. Results to stdout (text, or JSON with --json); everything for people
// (hints, progress, errors in words) to stderr. One per process; any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort {

class Console {
 public:
  void configure(bool json, bool quiet);
  bool json() const { return json_; }
  bool quiet() const { return quiet_; }
  bool colour() const { return colour_; }      // stderr is a terminal and NO_COLOR is not set
  bool terminal_out() const { return tty_out_; }

  void out(std::string_view text);              // stdout, as it is
  void line(std::string_view text);             // stdout, one line
  void result(const Value& v);                  // stdout: one line of JSON (pretty on a terminal)
  void json_line(const Value& v);               // stdout: always one compact line (JSON Lines)
  void note(std::string_view text);             // stderr, unless --quiet
  // The error in the contract's form: one line on stderr, or with --json an RFC 9457 problem as the only
  // document on stdout. Returns the exit status.
  int fail(const Error& error);

 private:
  bool json_ = false, quiet_ = false, colour_ = false, tty_out_ = false;
  std::mutex mutex_;
};

// RFC 9457 problem of an error, as a value (for an {"error": ...} line).
Value problem_value(const Error& error);

// A progress bar on stderr: redrawn on a terminal, one line at the start and one at the end elsewhere,
// nothing with --quiet. Thread: one at a time.
class Progress {
 public:
  Progress(Console& console, std::string label, std::string unit);
  ~Progress();
  void update(std::uint64_t done, std::uint64_t total);  // total 0 = unknown
  void finish();

 private:
  void draw(bool last);
  Console& console_;
  std::string label_, unit_;
  std::uint64_t done_ = 0, total_ = 0;
  double started_ = 0, drawn_ = 0;
  bool tty_ = false, finished_ = false, announced_ = false;
};

}  // namespace consort
