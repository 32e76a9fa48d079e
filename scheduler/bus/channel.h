// Channel: the bus as the rest of the program sees it. protocols/zmq implements it over ZeroMQ (inproc, ipc);
// a simulated one with delay, loss and reordering serves tests. One conformance suite covers both.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/bus/message.h"

namespace consort {

// One address on the bus. Detaches when destroyed (no receiver call runs after the destructor returns).
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  virtual const std::string& address() const = 0;
  // Thread-safe. Fills `from` and, when empty, `id`. Errors: kNotFound for an address nobody holds, which may
  // also come back later as a kNack; kUnavailable when the receiver's inbox is full.
  virtual Status send(Message message) = 0;
};

struct ChannelStats {
  std::uint64_t sent = 0, delivered = 0, dropped_late = 0, nacked = 0, malformed = 0;
};

class Channel {
 public:
  virtual ~Channel() = default;
  using Receiver = std::function<void(Message)>;
  // on_message is called on the channel's receiving thread, one message at a time per endpoint, in order per
  // sender; it must be short (post the work elsewhere). Errors: kInvalid when the address is taken.
  virtual Result<std::unique_ptr<Endpoint>> attach(std::string address, Receiver on_message) = 0;
  // While paused nothing is delivered; messages wait. For tests and for draining.
  virtual void pause() = 0;
  virtual void resume() = 0;
  virtual ChannelStats stats() const = 0;
  virtual std::string describe() const = 0;  // "zmq inproc", "zmq ipc:///...", "simulated"
};

}  // namespace consort
