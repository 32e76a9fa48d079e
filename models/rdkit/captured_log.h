// RDKit writes its reasons to global logs. They are off here; a text that failed is read once more with the
// error log caught, alone in the process, so that the reason reaches the caller's message and never stderr.
#pragma once

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

namespace consort::chem_library {

// Held while RDKit runs: all logs are off. Any number at a time.
class SilentLog {
 public:
  SilentLog();

 private:
  std::shared_lock<std::shared_mutex> lock_;
};

// Held while a text is read for its reason: one at a time, and nobody else inside RDKit.
class CapturedLog {
 public:
  CapturedLog();
  ~CapturedLog();
  CapturedLog(const CapturedLog&) = delete;
  std::string first_line() const;  // without RDKit's time stamp

 private:
  std::unique_lock<std::shared_mutex> lock_;
  struct Target;
  std::unique_ptr<Target> target_;
};

}  // namespace consort::chem_library
