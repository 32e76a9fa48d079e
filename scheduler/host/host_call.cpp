#include "scheduler/host/host_call.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace consort {

HostCall::HostCall(const Message& request, Send send)
    : send_(std::move(send)),
      correlation_(request.id),
      run_(request.run),
      task_(request.task),
      from_(request.to),
      to_(request.from),
      deadline_(request.deadline),
      credits_(request.credits) {}

std::string HostCall::key_of(std::string_view from, std::string_view id) {
  return std::string(from) + "\n" + std::string(id);
}

Message HostCall::message(MessageType type) const {
  Message m;
  m.type = type;
  m.correlation = correlation_;
  m.run = run_;
  m.task = task_;
  m.from = from_;
  m.to = to_;
  return m;
}

void HostCall::add_text(std::string_view text, std::span<const TokenId> ids) {
  std::lock_guard lock(mutex_);
  held_.text += text;
  held_.ids.insert(held_.ids.end(), ids.begin(), ids.end());
  flush_locked();
}

void HostCall::add_credits(std::uint32_t credits) {
  std::lock_guard lock(mutex_);
  credits_ += std::min(credits, std::numeric_limits<std::uint32_t>::max() - credits_);
  flush_locked();
}

void HostCall::flush_locked() {
  if (credits_ == 0 || answered_ || (held_.text.empty() && held_.ids.empty())) return;
  Message m = message(MessageType::kChunk);
  m.sequence = sequence_;
  m.body = to_wire(held_);
  if (Status sent = send_(std::move(m)); !sent) {  // kept: it goes with the next text, or with the answer
    if (sent.error().kind == ErrorKind::kNotFound) cancel();  // nobody is there to read it
    return;
  }
  ++sequence_;
  --credits_;
  held_ = {};
}

bool HostCall::answer(Value body, std::vector<TensorLease> tensors) {
  Message m = message(MessageType::kResponse);
  m.body = std::move(body);
  m.tensors = std::move(tensors);
  return finish(std::move(m));
}

bool HostCall::answer(const Error& error) {
  Message m = message(MessageType::kError);
  m.body = to_wire(error);
  return finish(std::move(m));
}

bool HostCall::finish(Message m) {
  std::lock_guard lock(mutex_);
  if (answered_) return true;
  answered_ = true;
  m.sequence = sequence_;
  unsent_ = std::make_unique<Message>(m);
  const Status sent = send_(std::move(m));
  if (!sent && sent.error().kind == ErrorKind::kUnavailable) return false;
  unsent_.reset();
  return true;
}

bool HostCall::resend() {
  std::lock_guard lock(mutex_);
  if (!unsent_) return true;
  const Status sent = send_(*unsent_);
  if (!sent && sent.error().kind == ErrorKind::kUnavailable) return false;
  unsent_.reset();
  return true;
}

}  // namespace consort
