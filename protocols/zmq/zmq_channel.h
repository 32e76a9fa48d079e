// ZmqChannel: the bus that runs. Inside the process every message travels as a pointer over ZeroMQ inproc
// sockets to one switch thread, which delivers it; listen() and join() connect the switches of two processes
// over ipc, and the caller cannot tell the difference. tcp is refused: nothing leaves the machine without
// keys.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/bus/channel.h"

namespace consort {

struct ZmqOptions {
  std::uint32_t inbox =
      1024;  // requests that may wait for one address; answers may take twice as many places
  std::chrono::milliseconds heartbeat{500};    // between processes, each way
  std::chrono::milliseconds dead_after{3000};  // silence after which a peer counts as gone
};

// Owned by main, thread-safe. Outlives its endpoints' last use; an endpoint destroyed later is harmless.
class ZmqChannel final : public Channel {
 public:
  static Result<std::unique_ptr<ZmqChannel>> create(ZmqOptions options = {});
  ~ZmqChannel() override;  // says goodbye to peers, stops the threads; undelivered messages are dropped

  // Lets other processes join at "ipc:///path" (the socket is readable by this user only). Errors: kInvalid
  // for other address forms, kUnavailable when somebody listens there already, kIo.
  Status listen(const std::string& address);
  // Joins the bus of the process that listens there. Returns once its addresses are known here and ours
  // there. Errors: kInvalid, kUnavailable when nobody answers within `patience` or the protocol differs. When
  // the other process goes away and a new one listens there, it is joined again by itself.
  Status join(const std::string& address,
              std::chrono::milliseconds patience = std::chrono::milliseconds(5000));
  // Waits until somebody holds the address, here or in a joined process. Errors: kNotFound after `patience`.
  Status wait_for(const std::string& address, std::chrono::milliseconds patience);
  // Addresses held by other processes, sorted.
  std::vector<std::string> remote_addresses() const;
  std::size_t peers() const;  // processes connected now

  Result<std::unique_ptr<Endpoint>> attach(std::string address, Receiver on_message) override;
  void pause() override;  // returns when no delivery is under way (from a receiver: at once)
  void resume() override;
  ChannelStats stats() const override;
  std::string describe() const override;

 private:
  struct Impl;
  explicit ZmqChannel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace consort
