// Letters of a session of bytes, from any thread to the lane's.
#include <iterator>
#include <utility>

#include "scheduler/decode/jobs.h"

namespace consort {

Status ByteMailbox::put(Letter letter) {
  std::lock_guard lock(mutex_);
  if (ended_) return fail(ErrorKind::kNotFound, "the session has ended", {}, "open a new one");
  letters_.push_back(std::move(letter));
  return {};
}

std::optional<ByteMailbox::Letter> ByteMailbox::take() {
  std::lock_guard lock(mutex_);
  if (letters_.empty()) return std::nullopt;
  Letter letter = std::move(letters_.front());
  letters_.pop_front();
  return letter;
}

bool ByteMailbox::waiting() const {
  std::lock_guard lock(mutex_);
  return !letters_.empty();
}

std::vector<ByteMailbox::Letter> ByteMailbox::end() {
  std::lock_guard lock(mutex_);
  ended_ = true;
  std::vector<Letter> left(std::make_move_iterator(letters_.begin()),
                           std::make_move_iterator(letters_.end()));
  letters_.clear();
  return left;
}

}  // namespace consort
