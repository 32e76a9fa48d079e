#include "scheduler/decode/run.h"

#include <utility>

namespace consort {
namespace {

double milliseconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

}  // namespace

void Run::admitted(int cached_tokens) {
  admitted_ = Clock::now();
  usage_.cached_tokens = cached_tokens;
  usage_.queue_ms = milliseconds(admitted_ - submitted_);
}

void Run::first_result() {
  if (first_ == Clock::time_point{}) first_ = Clock::now();
}

void Run::close_books() {
  finished_ = true;
  if (admitted_ == Clock::time_point{}) return;
  const auto now = Clock::now();
  const auto prefilled = first_ == Clock::time_point{} ? now : first_;
  usage_.prefill_ms = milliseconds(prefilled - admitted_);
  usage_.decode_ms = milliseconds(now - prefilled);
}

void Run::fail_with(Error error) {
  if (finished_) return;
  close_books();
  outcome_ = report(std::move(error));
}

}  // namespace consort
