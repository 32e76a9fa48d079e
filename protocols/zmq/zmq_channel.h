// ZmqChannel: the bus over ZeroMQ. Inside the process a message travels as a pointer in an inproc frame, its
// tensors as leases; between processes (ipc) as the frames of protocols/zmq/wire.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "memory/base/status.h"
#include "scheduler/bus/channel.h"

namespace consort {

struct ZmqOptions {
  std::size_t inbox = 4096;  // messages that may wait for one address; more are refused (kUnavailable)
  std::chrono::milliseconds heartbeat{1000};     // between processes
  std::chrono::milliseconds dead_after{3500};    // without a sign of life: the peer is gone
  std::chrono::milliseconds join_timeout{5000};  // how long join() waits for the other side
};

// Owned by the process (one is enough; several may live side by side); shares the process's one ZeroMQ
// context. Thread-safe. Destroying it says goodbye to its peers; endpoints that outlive it answer
// kUnavailable.
class ZmqChannel final : public Channel {
 public:
  // Errors: kRuntime when ZeroMQ has no sockets or threads left.
  static Result<std::unique_ptr<ZmqChannel>> create(ZmqOptions options = {});
  ~ZmqChannel() override;
  ZmqChannel(const ZmqChannel&) = delete;

  // Lets other processes of this user join at "ipc://PATH" (mode 0600). Errors: kUnsupported for other
  // transports, kUnavailable when a live process listens there, kIo when the path cannot be bound.
  Status listen(std::string address);
  // Joins the process that listens at "ipc://PATH"; returns once its addresses are known here. Afterwards a
  // lost peer is joined again by itself. Errors: kUnsupported, kInvalid, kUnavailable after join_timeout.
  Status join(std::string address);
  // Waits until somebody, here or in a peer, holds `address`; false when nobody did in time.
  bool wait_for(std::string_view address, std::chrono::milliseconds timeout) const;
  std::size_t peers() const;  // processes connected now

  Result<std::unique_ptr<Endpoint>> attach(std::string address, Receiver on_message) override;
  void pause() override;
  void resume() override;
  ChannelStats stats() const override;
  std::string describe() const override;

 private:
  struct Core;
  explicit ZmqChannel(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace consort
