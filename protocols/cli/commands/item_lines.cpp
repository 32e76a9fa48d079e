#include "protocols/cli/commands/item_lines.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace consort {

tl::unexpected<Error> line_too_long(const std::string& where) {
  return fail(ErrorKind::kInvalid, "a line of more than " + std::to_string(kMostLineBytes >> 20) + " MiB",
              where, "give large items as files");
}

// Forgets what is left of a line, a piece at a time.
void InputLines::skip_line() {
  for (;;) {
    const std::size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      buffer_.erase(0, end + 1);
      return;
    }
    buffer_.clear();
    if (ended_ || !fill()) return;
  }
}

bool InputLines::next(std::string& line) {
  too_long_ = false;
  std::size_t searched = at_;
  for (;;) {
    const std::size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      line.assign(buffer_, at_, end - at_);
      at_ = end + 1;
      return true;
    }
    buffer_.erase(0, std::exchange(at_, 0));
    searched = buffer_.size();
    if (buffer_.size() > kMostLineBytes) {
      too_long_ = true;
      line = buffer_.substr(0, 100);
      skip_line();
      return true;
    }
    if (ended_ || !fill()) {
      if (buffer_.empty()) return false;
      line = std::exchange(buffer_, {});
      return true;
    }
  }
}

bool InputLines::ready() {
  std::size_t searched = at_;
  while (buffer_.find('\n', searched) == std::string::npos) {
    if (buffer_.size() - at_ > kMostLineBytes) return true;
    searched = buffer_.size();
    pollfd waiting{STDIN_FILENO, POLLIN, 0};
    if (ended_ || poll(&waiting, 1, 0) <= 0) return false;
    if (!fill()) return at_ < buffer_.size();
  }
  return true;
}

bool InputLines::fill() {
  std::array<char, 1 << 16> chunk;
  ssize_t got = 0;
  do {
    got = read(STDIN_FILENO, chunk.data(), chunk.size());
  } while (got < 0 && errno == EINTR);
  if (got <= 0) {
    ended_ = true;
    return false;
  }
  buffer_.append(chunk.data(), static_cast<std::size_t>(got));
  return true;
}

}  // namespace consort
