#include "protocols/cli/commands/item_lines.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace consort {

bool InputLines::next(std::string& line) {
  for (;;) {
    const std::size_t end = buffer_.find('\n', at_);
    if (end != std::string::npos) {
      line.assign(buffer_, at_, end - at_);
      at_ = end + 1;
      return true;
    }
    buffer_.erase(0, std::exchange(at_, 0));
    if (ended_ || !fill()) {
      if (buffer_.empty()) return false;
      line = std::exchange(buffer_, {});
      return true;
    }
  }
}

bool InputLines::ready() {
  while (buffer_.find('\n', at_) == std::string::npos) {
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
