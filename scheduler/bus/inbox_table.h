// InboxTable: who holds which address, how much waits for each, and the one place where receivers are called.
// The part that every Channel of this program has in common.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/bus/channel.h"

namespace consort {

// One address. `waiting` and `open` are guarded by the table.
struct Inbox {
  std::string address;
  Channel::Receiver receiver;  // empty for the address of a peer
  std::uint64_t peer = 0;      // 0: held in this process; otherwise the number of the peer that holds it
  std::size_t waiting = 0;
  bool open = true;
};
using InboxPtr = std::shared_ptr<Inbox>;

enum class Delivery : std::uint8_t { kDelivered, kLate, kGone };

// Thread-safe, except deliver(): only the channel's receiving thread calls it.
class InboxTable {
 public:
  explicit InboxTable(std::size_t inbox_limit) : limit_(inbox_limit) {}

  // Errors: kInvalid when the address is taken, empty, longer than kMaxAddress or not printable ASCII.
  Result<InboxPtr> add(std::string address, Channel::Receiver receiver, std::uint64_t peer = 0);
  // Afterwards no receiver call of this inbox runs (unless the caller is that very call).
  void remove(const InboxPtr& inbox);

  // Takes a place in the inbox of `address`. `factor` widens the limit for messages that end something.
  // Errors: kNotFound, kUnavailable (full).
  Result<InboxPtr> admit(const std::string& address, std::size_t factor = 1);
  void give_back(const InboxPtr& inbox);  // the place of a message that went elsewhere
  // Gives the message to the receiver and its place back; waits while paused. kLate: the deadline has passed.
  // kGone: the inbox or the table is closed. In these cases `message` is untouched.
  Delivery deliver(const InboxPtr& inbox, Message& message);

  void pause();  // waits for the receiver that runs now (unless called by it)
  void resume();
  bool paused() const { return paused_.load(std::memory_order_acquire); }
  void close();  // nothing is admitted or delivered any more; wakes deliver()
  bool closed() const;

  bool wait_for(std::string_view address, std::chrono::milliseconds timeout) const;
  std::vector<std::string> local_addresses() const;

 private:
  bool receiving_here() const { return receiving_thread_ == std::this_thread::get_id(); }

  const std::size_t limit_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::unordered_map<std::string, InboxPtr> inboxes_;
  const Inbox* running_ = nullptr;  // whose receiver runs now
  std::thread::id receiving_thread_;
  std::atomic<bool> paused_{false};
  bool closed_ = false;
};

inline constexpr std::size_t kMaxAddress = 256;  // bytes

// The counters of a channel; any thread.
struct ChannelCounters {
  std::atomic<std::uint64_t> sent{0}, delivered{0}, dropped_late{0}, nacked{0}, malformed{0};
  ChannelStats read() const {
    return {sent.load(), delivered.load(), dropped_late.load(), nacked.load(), malformed.load()};
  }
};

}  // namespace consort
