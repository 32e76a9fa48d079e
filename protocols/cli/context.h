// CliContext: what a command works with. Made by run_cli; commands get it by reference.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "protocols/cli/command_line.h"
#include "protocols/cli/console.h"
#include "protocols/cli/options.h"

namespace consort {

struct CliContext {
  Options options;
  Console console;
  std::stop_source stop;  // Ctrl-C and SIGTERM request it; a second Ctrl-C ends the process at once
  // The chosen command; returns the exit status of a success (0, or 6 for a run that waits for an approval).
  std::function<Result<int>()> action;
};

// One function a command, each in protocols/cli/commands/<name>.cpp: adds its options to the program and sets
// context.action in its callback.
using AddCommand = void (*)(Command app, CliContext& context);
const std::vector<AddCommand>& commands();

// Reads a whole file; "-" is standard input. Errors: kNotFound, kIo.
Result<std::string> read_file(const std::string& path, std::size_t limit_bytes = std::size_t{1} << 30);

// Calls `each` for every line of standard input that is JSON (JSON Lines). A line's failure becomes
// {"error": problem} on that line of the output, the rest go on; the result is then kInvalid's exit status 3.
Result<int> json_lines(CliContext& context, const std::function<Result<Value>(const Value&)>& each);

}  // namespace consort
