// NetworkEngine: batches samples of all requests to one network, so many a step that a step stays near the
// time given: a bulk job never holds the lane for long.
#pragma once

#include <memory>

#include "models/network/network.h"
#include "scheduler/decode/engine_stats.h"
#include "scheduler/decode/jobs.h"
#include "scheduler/lane/work.h"

namespace consort {

struct NetworkOptions {
  int max_queue = 256;         // jobs; more are refused with kUnavailable
  double step_ms = 10;         // a step is filled up to the arithmetic that took this long in earlier steps,
                               // or less where the lane gives a shorter turn
  int samples_per_step = 256;  // at least one goes, whatever it costs
};

// Shared by its host and the requests that prepare samples for it. Threads: submit(), info(), network() and
// stats() any; need(), step() and relieve() the lane's.
class NetworkEngine final : public StepWorker {
 public:
  static Result<std::shared_ptr<NetworkEngine>> create(std::unique_ptr<Network> network,
                                                       NetworkOptions options = {});
  ~NetworkEngine() override;  // as end_all()

  // Errors (then `done` is not called): kUnavailable when full or closed; kInvalid for no samples or for
  // wants that the network cannot give.
  Status submit(NetworkJob job, JobTicket ticket = {});
  void close();    // submit() fails from now on
  void end_all();  // ends what waits with kCancelled. REQUIRES: closed and detached from the lane
  bool idle() const;
  void set_waker(std::function<void()> wake);
  const NetworkInfo& info() const;
  const Network& network() const;  // for prepare(), decide() and decided()
  EngineStats stats() const;

  Need need() override;
  void set_turn(TurnLength length) override;
  void step(Exec& exec) override;
  bool relieve(std::size_t) override { return false; }

 private:
  struct Impl;
  explicit NetworkEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace consort
