// HostCore: what stands behind a ModelHost: state, calls in flight, engines. Internal to scheduler/host.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "scheduler/decode/jobs.h"
#include "scheduler/host/host_call.h"
#include "scheduler/host/model_host.h"
#include "scheduler/host/serial_worker.h"
#include "scheduler/host/wire.h"

namespace consort {

using CallPtr = std::shared_ptr<HostCall>;

// Shared by its ModelHost and the callbacks of its calls. The mutex guards everything below it; the engines
// and the tokenizer are read by the host's thread, which alone loads and unloads them.
class HostCore : public std::enable_shared_from_this<HostCore> {
 public:
  HostCore(std::string id, Channel& channel, Lane& lane, ModelLoader loader, HostOptions options);
  ~HostCore();
  Status attach();
  void stop();    // unloads, detaches, joins
  void settle();  // see ModelHost

  void load(std::function<void(Status)> ready);
  Status unload(std::chrono::milliseconds patience, bool even_if_held);  // never on the lane's thread
  HostState state() const;
  Value stats() const;

  const std::string id;
  std::atomic<int> references{0};
  std::atomic<double> load_ms{0};

 private:
  // Receiving thread.
  void receive(Message m);
  void receive_request(Message m);
  void cancel_call(const Message& m);
  // Host's thread.
  void do_load();
  Status load_model();
  void do_unload();
  void handle(CallPtr call, const Value& body, std::vector<TensorLease> tensors);
  Status start(const CallPtr& call, const WireRequest& request);
  Status generate(const CallPtr& call, const WireRequest& request);
  Status fuse(const CallPtr& call, const WireRequest& request);
  Status score(const CallPtr& call, const WireRequest& request);
  Status score_text(const CallPtr& call, const WireRequest& request);
  Status logits(const CallPtr& call, const WireRequest& request);
  Status score_bytes(const CallPtr& call, const WireRequest& request);
  Status next_tokens(const CallPtr& call, const WireRequest& request);
  Status open_bytes(const CallPtr& call, const WireRequest& request);
  Status next_bytes(const CallPtr& call, const WireRequest& request);
  void end_sessions(const std::string& client);  // all of one client
  Status embed(const CallPtr& call, const WireRequest& request);
  Status classify(const CallPtr& call, const WireRequest& request);
  Status zero_shot(const CallPtr& call, const WireRequest& request, ClassifyRequest asked);
  Status rerank(const CallPtr& call, const WireRequest& request);
  Status need_language_model(std::string_view op) const;
  Status need_network(std::string_view op) const;
  // Any thread.
  template <typename R>
  std::function<void(Result<R>)> answering(const CallPtr& call);
  void finish(const CallPtr& call, bool delivered);
  void run_on_worker(const std::function<void()>& work);  // and waits for it. REQUIRES: not stopped
  bool wait_for_calls(std::chrono::milliseconds patience);
  Status send(Message m);
  JobTicket ticket(const CallPtr& call, const WireRequest& request) const;

  Channel& channel_;
  Lane& lane_;
  const ModelLoader loader_;
  const HostOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  HostState state_ = HostState::kAbsent;
  Error failure_;
  std::vector<std::function<void(Status)>> waiting_for_load_;
  std::map<std::string, CallPtr> calls_;
  std::map<std::string, std::shared_ptr<ByteMailbox>> sessions_;  // by HostCall::key_of(client, session)
  std::shared_ptr<LanguageEngine> language_;
  std::shared_ptr<NetworkEngine> network_;

  // The labels of the last zero-shot request: a batch of files asks for the same ones again and again.
  struct KnownLabels {
    std::mutex mutex;
    std::string key;
    std::shared_ptr<const std::vector<float>> rows;
  };
  KnownLabels known_labels_;

  LoadedModel model_;  // without model and network, which the engines own

  std::shared_mutex endpoint_mutex_;  // shared: sending; unique: attaching and detaching
  std::unique_ptr<Endpoint> endpoint_;
  std::unique_ptr<SerialWorker> worker_;
};

template <typename R>
std::function<void(Result<R>)> HostCore::answering(const CallPtr& call) {
  return [self = shared_from_this(), call](Result<R> r) {
    if (!r) return self->finish(call, call->answer(r.error()));
    std::vector<TensorLease> tensors;
    Value body = to_wire(*r, tensors);
    self->finish(call, call->answer(std::move(body), std::move(tensors)));
  };
}

}  // namespace consort
