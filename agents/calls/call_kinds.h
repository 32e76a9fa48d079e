// The `call:` kinds of this build, generated from the list in agents/calls/CMakeLists.txt.
#pragma once

#include <memory>

#include "scheduler/bus/channel.h"
#include "scheduler/host/model_handle.h"
#include "scheduler/workflow/call_kinds.h"

namespace consort {

class BlobStore;
class Store;
class Retrieval;

// What handlers act with. Owned by main, outlives the handlers. store and retrieval are null in a process
// without a store; kinds that need them then fail with kUnavailable when they are called.
struct CallServices {
  ModelDirectory* models = nullptr;
  Channel* channel = nullptr;
  Store* store = nullptr;
  Retrieval* retrieval = nullptr;
  BlobStore* blobs = nullptr;  // null: handles of blobs cannot be read
};

// Every kind, ready to run.
std::shared_ptr<const CallKinds> make_call_kinds(CallServices services);
// The same kinds for checking documents and printing schemas; calling one fails.
std::shared_ptr<const CallKinds> call_kinds_for_checking();

}  // namespace consort
