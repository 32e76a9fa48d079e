#include "scheduler/bus/inbox_table.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace consort {

Result<InboxPtr> InboxTable::add(std::string address, Channel::Receiver receiver, std::uint64_t peer) {
  const bool printable =
      std::all_of(address.begin(), address.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (address.empty() || address.size() > kMaxAddress || !printable)
    return fail(ErrorKind::kInvalid, "a bus address is 1 to 256 printable ASCII characters without spaces");
  auto inbox = std::make_shared<Inbox>();
  inbox->address = address;
  inbox->receiver = std::move(receiver);
  inbox->peer = peer;
  std::lock_guard lock(mutex_);
  if (closed_) return fail(ErrorKind::kUnavailable, "the bus is closed", address);
  if (!inboxes_.emplace(std::move(address), inbox).second)
    return fail(ErrorKind::kInvalid, "the address is taken", inbox->address);
  changed_.notify_all();
  return inbox;
}

void InboxTable::remove(const InboxPtr& inbox) {
  std::unique_lock lock(mutex_);
  inbox->open = false;
  if (const auto at = inboxes_.find(inbox->address); at != inboxes_.end() && at->second == inbox)
    inboxes_.erase(at);
  if (!receiving_here()) changed_.wait(lock, [&] { return running_ != inbox.get(); });
}

Result<InboxPtr> InboxTable::admit(const std::string& address, std::size_t factor) {
  std::lock_guard lock(mutex_);
  if (closed_) return fail(ErrorKind::kUnavailable, "the bus is closed", address);
  const auto at = inboxes_.find(address);
  if (at == inboxes_.end())
    return fail(ErrorKind::kNotFound, fmt::format("nobody answers at '{}'", address), {},
                address.starts_with("model/") ? "load the model first" : "");
  if (at->second->waiting >= limit_ * factor)
    return fail(ErrorKind::kUnavailable, fmt::format("the inbox of '{}' is full", address), {},
                "try again later");
  ++at->second->waiting;
  return at->second;
}

void InboxTable::give_back(const InboxPtr& inbox) {
  std::lock_guard lock(mutex_);
  --inbox->waiting;
}

Delivery InboxTable::deliver(const InboxPtr& inbox, Message& message) {
  {
    std::unique_lock lock(mutex_);
    receiving_thread_ = std::this_thread::get_id();
    changed_.wait(lock, [this] { return !paused_ || closed_; });
    --inbox->waiting;
    if (!inbox->open || closed_) return Delivery::kGone;
    if (message.deadline != kNoDeadline && message.deadline <= std::chrono::steady_clock::now())
      return Delivery::kLate;
    running_ = inbox.get();
  }
  try {
    inbox->receiver(std::move(message));
  } catch (const std::exception& e) {
    spdlog::error("bus: the receiver of {} threw: {}", inbox->address, e.what());
  }
  std::lock_guard lock(mutex_);
  running_ = nullptr;
  changed_.notify_all();
  return Delivery::kDelivered;
}

void InboxTable::pause() {
  std::unique_lock lock(mutex_);
  paused_ = true;
  if (!receiving_here()) changed_.wait(lock, [this] { return running_ == nullptr; });
}

void InboxTable::resume() {
  std::lock_guard lock(mutex_);
  paused_ = false;
  changed_.notify_all();
}

void InboxTable::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

bool InboxTable::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

bool InboxTable::wait_for(std::string_view address, std::chrono::milliseconds timeout) const {
  const std::string key(address);
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [&] { return closed_ || inboxes_.contains(key); }) && !closed_;
}

std::vector<std::string> InboxTable::local_addresses() const {
  std::vector<std::string> out;
  std::lock_guard lock(mutex_);
  for (const auto& [address, inbox] : inboxes_)
    if (inbox->peer == 0) out.push_back(address);
  return out;
}

}  // namespace consort
