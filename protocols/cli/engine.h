// Engine: the composition of one process. Owns the memory pool, the compute threads, the lane, the bus, the
// model hosts, the store and the retrieval memory, in the order of their dependence; everything that a
// command or a workflow uses comes from here. Made by a command; stops what it started when destroyed.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "models/catalogue/catalogue.h"
#include "protocols/cli/context.h"
#include "scheduler/host/model_handle.h"
#include "scheduler/host/wait_on.h"

namespace consort {

class BlobStore;
class Store;
class Retrieval;
class DevicePool;
class Journal;
class CallKinds;
class Lane;

struct EngineSetup {
  bool store = false;        // open the data directory (one process at a time)
  std::string data_dir;      // with store: where it lies; default --data-dir
  bool salvage_log = false;  // with store: open one whose log is damaged, without what lies behind the damage
  std::string listen;  // bus address (ipc://PATH) on which a node hosts this process's models; default --bus
  std::string join;    // bus of another process to host models for (consort node)
};

class Engine {
 public:
  static Result<std::unique_ptr<Engine>> start(const CliContext& context, EngineSetup setup = {});
  ~Engine();

  const Catalogue& catalogue() const;
  DevicePool& pool();
  Channel& channel();
  Lane& lane();
  ModelDirectory& models();
  BlobStore& blobs();
  Store& store();                                 // REQUIRES: setup.store
  Retrieval& retrieval();                         // REQUIRES: setup.store
  Journal& journal();                             // REQUIRES: setup.store
  std::shared_ptr<const CallKinds> call_kinds();  // those that need a store only with setup.store
  boost::asio::io_context& io();

  // Runs a coroutine on the engine's event thread and waits for its result. Never called on that thread.
  template <typename T>
  Result<T> wait(boost::asio::awaitable<Result<T>> task) {
    return wait_on(io(), std::move(task));
  }

  // Loads a model if needed; the handle holds it. Errors: those of ModelDirectory::acquire.
  Result<ModelHandle> acquire(std::string id);
  // A context for a request of this command: its stop token, no deadline.
  RequestContext request() const;
  // The seed of this command: --seed, or a random one, printed once as a note.
  std::uint64_t seed();
  // Bytes by owner, the process's resident memory, engine counters; for --stats and bench memory.
  Value stats();

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace consort
