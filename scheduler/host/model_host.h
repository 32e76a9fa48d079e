// ModelHost: one model on the bus. Owns its engine, its state machine and its address "model/<id>"; turns
// messages into jobs and results into messages.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "memory/base/status.h"
#include "scheduler/bus/channel.h"
#include "scheduler/decode/language_engine.h"
#include "scheduler/decode/network_engine.h"
#include "scheduler/host/model_loader.h"
#include "scheduler/host/worker_pool.h"
#include "scheduler/lane/lane.h"
#include "scheduler/value/value.h"

namespace consort {

enum class HostState : std::uint8_t { kAbsent, kLoading, kReady, kDraining, kFailed };
std::string_view host_state_name(HostState state);

struct HostOptions {
  EngineOptions engine;
  NetworkOptions network;
  std::size_t max_requests = 1024;      // messages waiting for the host's thread
  std::shared_ptr<WorkerPool> workers;  // prepares items for networks; unset: one of the lane's width
};

std::string model_address(std::string_view id);  // "model/<id>"

// Owned by a directory. Thread-safe. One thread of its own decodes messages and tokenises.
class ModelHost {
 public:
  // Attaches to the channel in state absent. Errors: those of Channel::attach.
  static Result<std::shared_ptr<ModelHost>> create(std::string id, Channel& channel, Lane& lane,
                                                   ModelLoader loader, HostOptions options = {});
  ~ModelHost();  // unloads; requests in flight fail with kCancelled
  ModelHost(const ModelHost&) = delete;

  const std::string& id() const;
  HostState state() const;
  // Loads when absent or failed; joins a load in progress. `ready` is called on the host's thread, or at
  // once.
  void load(std::function<void(Status)> ready);
  Status load_and_wait();
  // Returns once the host's thread is done with what was asked before and has let go of every `ready`. For
  // the owner that wants to drop its host: the last reference must not go on the host's own thread, which it
  // joins. Never on that thread.
  void settle();
  // Takes no more requests, lets those in flight finish (after `patience` they are cancelled), gives all
  // memory back. Errors: kUnavailable while references are held.
  Status unload(std::chrono::milliseconds patience = std::chrono::seconds(30));

  void add_reference();
  void drop_reference();
  int references() const;

  double load_ms() const;
  Value stats() const;  // object: state, references, counters of the engine and the KV cache

 private:
  struct Impl;
  explicit ModelHost(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace consort
