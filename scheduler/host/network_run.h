// NetworkRun: the items of one request on their way through a network. Prepares them on the worker pool,
// window by window (so that a thousand pictures are never decoded at once), gives each window to the engine
// while the next is being prepared, and hands over everything when the last is done. Internal to
// scheduler/host.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "scheduler/decode/network_engine.h"
#include "scheduler/host/worker_pool.h"

namespace consort {

struct NetworkWork {
  std::vector<ModelInput> items;
  std::string text_prefix;  // put before every kText
  NetworkWants wants;
  bool skip_decided = false;  // items that Network::decided() answers take no part in the pass
};

// What became of the items. Rows of failed and of decided items: none (embeddings), zeros (logits).
struct NetworkItems {
  std::vector<std::unique_ptr<Sample>> samples;  // null where it failed
  std::vector<ItemError> errors;                 // ascending by item
  std::vector<float> embeddings;
  std::vector<std::int64_t> offsets;  // rows of item i: [offsets[i], offsets[i + 1])
  std::vector<float> logits;          // [items, classes]
  Usage usage;
};

// `done` is called once, on a thread of the pool (or the caller's, for an empty request). Errors: those of
// NetworkEngine::submit, kCancelled, kTimeout; an item's own failure is in NetworkItems::errors.
void run_network(std::shared_ptr<NetworkEngine> engine, std::shared_ptr<WorkerPool> pool, NetworkWork work,
                 JobTicket ticket, std::function<void(Result<NetworkItems>)> done);

}  // namespace consort
