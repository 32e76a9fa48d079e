// Runs a program without a shell, in a process group of its own, until it ends or the caller says stop.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "memory/base/status.h"

namespace consort {

struct ChildProcess {
  std::vector<std::string> arguments;                            // arguments[0] is looked for in PATH
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours, replacing the same names
  std::string output_file;  // stdout and stderr go here (truncated first)
};

// Blocks; calls `tick` about ten times a second, and when it returns false ends the whole group (SIGTERM,
// after two seconds SIGKILL). Returns the exit status (128 + signal when it died of one). Errors:
// kUnavailable when the program is not there, kCancelled, kIo.
Result<int> run_child(const ChildProcess& child, const std::function<bool()>& tick);

}  // namespace consort
