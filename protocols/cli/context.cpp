#include "protocols/cli/context.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

namespace consort {

Result<std::string> read_file(const std::string& path, std::size_t limit_bytes) {
  std::ifstream file;
  if (path != "-") {
    file.open(path, std::ios::binary);
    if (!file) return fail(ErrorKind::kNotFound, "cannot read the file", path, std::strerror(errno));
  }
  std::istream& in = path == "-" ? std::cin : file;
  std::string text;
  char buffer[1 << 16];
  while (in.read(buffer, sizeof buffer) || in.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (text.size() > limit_bytes)
      return fail(ErrorKind::kInvalid, "the file is too large", path,
                  "at most " + std::to_string(limit_bytes) + " bytes are read here");
  }
  if (in.bad()) return fail(ErrorKind::kIo, "reading failed", path, "is it a regular file?");
  return text;
}

Result<int> json_lines(CliContext& context, const std::function<Result<Value>(const Value&)>& each) {
  std::string text;
  int status = 0;
  std::size_t number = 0;
  while (std::getline(std::cin, text)) {
    ++number;
    if (context.stop.stop_requested()) return fail(ErrorKind::kCancelled, "interrupted", "standard input");
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto line = parse_json(text, "line " + std::to_string(number));
    Result<Value> answer = line ? each(*line) : forward_error(line);
    if (!answer && answer.error().kind == ErrorKind::kCancelled) return forward_error(answer);
    if (!answer) {
      if (answer.error().where.empty()) answer.error().where = "line " + std::to_string(number);
      status = 3;
    }
    context.console.json_line(answer ? *answer : Value::object({{"error", problem_value(answer.error())}}));
  }
  return status;
}

}  // namespace consort
