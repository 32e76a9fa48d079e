// ModelClient: the caller's side of the bus. One endpoint "client/<random>", any number of calls in flight.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "memory/base/status.h"
#include "scheduler/bus/channel.h"
#include "scheduler/host/model_handle.h"

namespace consort {

// Shared by the handles of one process. Thread-safe. Calls still open when it is destroyed end with
// kUnavailable.
class ModelClient {
 public:
  static Result<std::shared_ptr<ModelClient>> create(Channel& channel);
  ~ModelClient();
  ModelClient(const ModelClient&) = delete;

  // What a stop request does to an open call: ends it at once with kCancelled, or tells the host and waits
  // for its answer (at most kPatience, then kCancelled).
  enum class OnStop { kEnd, kAwaitAnswer };
  static constexpr std::chrono::seconds kPatience{2};

  // One request to `to` and its answer. `body` is an object; chunks of the answer go to `on_chunk` in order.
  // Tensors travel as leases in one process: what they point to must not change any more.
  struct Reply {
    Value body;
    std::vector<TensorLease> tensors;
  };
  using ChunkSink = std::function<void(const Message&)>;
  boost::asio::awaitable<Result<Reply>> call(std::string to, Value body, RequestContext context,
                                             ChunkSink on_chunk = {}, std::vector<TensorLease> tensors = {},
                                             OnStop on_stop = OnStop::kEnd);
  void tell(std::string to, Value body);  // no answer wanted; a failure is ignored
  std::size_t calls_in_flight() const;

 private:
  struct Impl;
  explicit ModelClient(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace consort
