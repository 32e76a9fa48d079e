// HostCall: one request that a host is answering. Sends its chunks as far as credits go, and its answer once.
// Internal to scheduler/host.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/bus/channel.h"
#include "scheduler/host/wire.h"

namespace consort {

// Shared by the receiving thread (credits, cancel), the host's thread and the lane's thread.
class HostCall {
 public:
  // `send` outlives every use that matters: it returns an error once the host is gone.
  using Send = std::function<Status(Message)>;
  HostCall(const Message& request, Send send);

  static std::string key_of(std::string_view from, std::string_view id);
  const std::string& client() const { return to_; }
  std::string key() const { return key_of(to_, correlation_); }

  void add_text(std::string_view text, std::span<const TokenId> ids);  // coalesced while credits are used up
  void add_credits(std::uint32_t credits);
  // The final message; text that had no credit is part of the result anyway. Later calls do nothing.
  // Returns false when the receiver's inbox was full: try again with resend().
  bool answer(Value body, std::vector<TensorLease> tensors);
  bool answer(const Error& error);
  bool resend();

  void cancel() { stop_.request_stop(); }
  std::stop_token stop_token() const { return stop_.get_token(); }
  SteadyTime deadline() const { return deadline_; }

 private:
  Message message(MessageType type) const;
  void flush_locked();
  bool finish(Message m);

  const Send send_;
  const std::string correlation_, run_, task_, from_, to_;
  const SteadyTime deadline_;
  std::stop_source stop_;
  std::mutex mutex_;
  TextChunk held_;
  std::uint64_t sequence_ = 0;
  std::uint32_t credits_ = 0;
  bool answered_ = false;
  std::unique_ptr<Message> unsent_;
};

}  // namespace consort
