// Message: what agents, hosts and workflows say to each other. The same type travels inside a process and
// between processes; only the Channel knows the difference.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "memory/tensor/tensor.h"
#include "scheduler/value/value.h"

namespace consort {

using SteadyTime = std::chrono::steady_clock::time_point;
inline constexpr SteadyTime kNoDeadline = SteadyTime::max();

enum class MessageType : std::uint8_t {
  kHello = 1,
  kWelcome,
  kRequest,
  kChunk,
  kResponse,
  kEvent,
  kCredit,
  kHeartbeat,
  kCancel,
  kNack,
  kError,
  kGoodbye,
};

// A tensor on the bus: a view and whoever keeps its bytes alive. In one process the receiver sees the
// sender's memory (immutable from then on); between processes the bytes are a frame of their own.
struct TensorLease {
  std::string name;
  TensorView view;
  std::shared_ptr<const void> owner;
};

struct Message {
  MessageType type = MessageType::kRequest;
  std::string id;              // chosen by the sender, unique
  std::string correlation;     // id of the request this belongs to; empty for requests
  std::string run, task;       // run id and task pointer, for tracing; may be empty
  std::string from, to;        // bus addresses: "model/<id>", "agent/<name>", "client/<random>"
  std::uint64_t sequence = 0;  // numbers the chunks of one stream from 0
  std::uint32_t attempt = 1;
  std::uint32_t credits = 0;          // kCredit: chunks granted; kRequest: chunks granted at the start
  SteadyTime deadline = kNoDeadline;  // between processes: time left, converted at each end
  Value body;
  std::vector<TensorLease> tensors;
};

}  // namespace consort
