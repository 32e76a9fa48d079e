// The host's life: loading, unloading, the calls in flight, the statistics.
#include "scheduler/host/host_core.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <exception>
#include <future>
#include <thread>
#include <utility>

namespace consort {
namespace {

constexpr std::chrono::milliseconds kAfterCancel{20'000};  // a step of a large model on a slow machine
constexpr std::chrono::milliseconds kLetGoPause{1};
constexpr int kAnswerAttempts = 50;
constexpr std::chrono::milliseconds kAnswerPause{20};

HostOptions with_workers(HostOptions options, const Lane& lane) {
  if (!options.workers) options.workers = std::make_shared<WorkerPool>(lane.threads());
  return options;
}

}  // namespace

HostCore::HostCore(std::string model_id, Channel& channel, Lane& lane, ModelLoader loader,
                   HostOptions options)
    : id(std::move(model_id)),
      channel_(channel),
      lane_(lane),
      loader_(std::move(loader)),
      options_(with_workers(std::move(options), lane)),
      worker_(std::make_unique<SerialWorker>("host " + id, options.max_requests)) {}

HostCore::~HostCore() = default;

Status HostCore::attach() {
  CONSORT_TRY(endpoint, channel_.attach(model_address(id), [this](Message m) { receive(std::move(m)); }));
  std::unique_lock lock(endpoint_mutex_);
  endpoint_ = std::move(endpoint);
  return {};
}

void HostCore::stop() {
  (void)unload(std::chrono::milliseconds(0), true);
  std::unique_ptr<Endpoint> endpoint;
  {
    std::unique_lock lock(endpoint_mutex_);
    endpoint = std::move(endpoint_);
  }
  endpoint.reset();
  worker_->stop();
}

Status HostCore::send(Message m) {
  std::shared_lock lock(endpoint_mutex_);
  if (!endpoint_) return fail(ErrorKind::kNotFound, "the host has left the bus", id);
  return endpoint_->send(std::move(m));
}

HostState HostCore::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

// ---- loading --------------------------------------------------------------------------------------------

void HostCore::load(std::function<void(Status)> ready) {
  Status now;
  {
    std::lock_guard lock(mutex_);
    if (state_ == HostState::kDraining) {
      now = fail(ErrorKind::kUnavailable, "the model is being unloaded", id, "try again later");
    } else if (state_ != HostState::kReady) {
      waiting_for_load_.push_back(std::move(ready));
      if (state_ == HostState::kLoading) return;
      state_ = HostState::kLoading;
      if (worker_->post([this] { do_load(); })) return;
      state_ = HostState::kAbsent;
      ready = std::move(waiting_for_load_.back());
      waiting_for_load_.pop_back();
      now = fail(ErrorKind::kUnavailable, "the host's inbox is full or closed", id, "try again later");
    }
  }
  ready(std::move(now));
}

void HostCore::do_load() {
  const auto start = std::chrono::steady_clock::now();
  Status loaded = load_model();
  load_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  std::vector<std::function<void(Status)>> waiting;
  {
    std::lock_guard lock(mutex_);
    waiting.swap(waiting_for_load_);
    state_ = loaded ? HostState::kReady : HostState::kFailed;
    if (!loaded) failure_ = loaded.error();
  }
  for (auto& ready : waiting) ready(loaded);
}

Status HostCore::load_model() try {
  CONSORT_TRY(loaded, loader_(id, lane_));
  std::shared_ptr<LanguageEngine> language;
  std::shared_ptr<NetworkEngine> network;
  if (loaded.model) {
    if (!loaded.tokenizer) return fail(ErrorKind::kInvalid, "the model has no tokenizer", id);
    CONSORT_TRY(made, LanguageEngine::create(std::move(loaded.model), loaded.tokenizer, lane_.pool(),
                                             options_.engine));
    language = std::move(made);
    language->set_waker([this] { lane_.wake(); });
    lane_.attach(language);
  } else if (loaded.network) {
    CONSORT_TRY(made, NetworkEngine::create(std::move(loaded.network), options_.network));
    network = std::move(made);
    network->set_waker([this] { lane_.wake(); });
    lane_.attach(network);
  } else {
    return fail(ErrorKind::kInvalid, "the loader brought neither a language model nor a network", id);
  }
  model_ = std::move(loaded);
  std::lock_guard lock(mutex_);
  language_ = std::move(language);
  network_ = std::move(network);
  return {};
} catch (const std::bad_alloc&) {
  return fail(ErrorKind::kMemory, "no memory is left to load the model", id,
              "raise the memory limit or unload a model");
} catch (const std::exception& e) {
  return fail(ErrorKind::kRuntime, fmt::format("the model cannot be loaded: {}", e.what()), id);
}

// ---- unloading ------------------------------------------------------------------------------------------

bool HostCore::wait_for_calls(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, patience, [this] { return calls_.empty(); });
}

Status HostCore::unload(std::chrono::milliseconds patience, bool even_if_held) {
  if (!even_if_held && references > 0)
    return fail(ErrorKind::kUnavailable,
                fmt::format("the model is in use ({} references)", references.load()), id);
  {
    std::lock_guard lock(mutex_);
    if (state_ == HostState::kDraining)
      return fail(ErrorKind::kUnavailable, "the model is being unloaded", id);
    if (state_ == HostState::kAbsent || state_ == HostState::kFailed) {
      state_ = HostState::kAbsent;
      return {};
    }
    state_ = HostState::kDraining;  // a load in progress ends before do_unload, which is queued behind it
  }
  if (!wait_for_calls(patience)) {
    {
      std::lock_guard lock(mutex_);
      for (auto& [key, call] : calls_) call->cancel();
    }
    lane_.wake();
    if (!wait_for_calls(kAfterCancel))
      spdlog::warn("{}: requests did not stop in time; they are dropped", id);
  }
  run_on_worker([this] { do_unload(); });
  return {};
}

void HostCore::settle() {
  run_on_worker([] {});
}

void HostCore::run_on_worker(const std::function<void()>& work) {
  const auto done = std::make_shared<std::promise<void>>();  // set_value() may outlast the wait
  while (!worker_->post([&work, done] {
    work();
    done->set_value();
  }))
    std::this_thread::sleep_for(kAnswerPause);  // its inbox is full
  done->get_future().wait();
}

void HostCore::do_unload() {
  std::shared_ptr<LanguageEngine> language;
  std::shared_ptr<NetworkEngine> network;
  {
    std::lock_guard lock(mutex_);
    language = std::move(language_);
    network = std::move(network_);
    language_.reset();
    network_.reset();
    sessions_.clear();
  }
  if (language) {
    language->close();
    lane_.detach(language);
  }
  if (network) {
    network->close();
    lane_.detach(network);
    network->end_all();
    // Requests hold the engine, a moment longer than until they are answered. New ones would be made on this
    // thread. The memory must be back before anybody hears that the model is unloaded.
    while (network.use_count() > 1) std::this_thread::sleep_for(kLetGoPause);
  }
  language.reset();  // the last owner: weights, pages and buffers go back to the pool here
  network.reset();
  model_ = {};
  {
    std::lock_guard lock(known_labels_.mutex);
    known_labels_.rows.reset();
  }
  std::lock_guard lock(mutex_);
  state_ = HostState::kAbsent;
}

// ---- calls in flight ------------------------------------------------------------------------------------

void HostCore::finish(const CallPtr& call, bool delivered) {
  if (!delivered) {  // the receiver's inbox is full: somebody who may wait tries again
    (void)worker_->post([call] {
      for (int i = 0; i < kAnswerAttempts && !call->resend(); ++i) std::this_thread::sleep_for(kAnswerPause);
    });
  }
  std::lock_guard lock(mutex_);
  calls_.erase(call->key());
  if (calls_.empty()) idle_.notify_all();
}

namespace {

Value counters(const EngineStats& s) {
  const auto n = [](std::uint64_t v) { return Value(static_cast<std::int64_t>(v)); };
  return Value::object({{"prefilled_tokens", n(s.prefilled_tokens)},
                        {"decoded_tokens", n(s.decoded_tokens)},
                        {"cached_tokens", n(s.cached_tokens)},
                        {"steps", n(s.steps)},
                        {"step_failures", n(s.step_failures)},
                        {"sequence_steps", n(s.slices)},
                        {"largest_batch", n(s.largest_batch)},
                        {"largest_prefill", n(s.largest_prefill)},
                        {"accepted", n(s.accepted)},
                        {"finished", n(s.finished)},
                        {"failed", n(s.failed)},
                        {"cancelled", n(s.cancelled)},
                        {"timed_out", n(s.timed_out)},
                        {"refused", n(s.refused)},
                        {"queue_length", n(s.queue_length)},
                        {"queue_peak", n(s.queue_peak)},
                        {"running_sequences", n(s.running_sequences)},
                        {"logits_bytes", n(s.logits_bytes)},
                        {"forward_ms", s.forward_ms},
                        {"step_ms", s.step_ms}});
}

Value pages(const KvStats& s) {
  const auto n = [](std::uint64_t v) { return Value(static_cast<std::int64_t>(v)); };
  return Value::object({{"pages", n(s.pages_total)},
                        {"free", n(s.pages_free)},
                        {"shared", n(s.pages_shared)},
                        {"remembered", n(s.pages_in_tree)},
                        {"copies", n(s.copies)},
                        {"bytes", n(s.bytes_committed)}});
}

}  // namespace

Value HostCore::stats() const {
  std::shared_ptr<LanguageEngine> language;
  std::shared_ptr<NetworkEngine> network;
  HostState state;
  {
    std::lock_guard lock(mutex_);
    language = language_;
    network = network_;
    state = state_;
  }
  Value::Object out{
      {"state", host_state_name(state)}, {"references", references.load()}, {"load_ms", load_ms.load()}};
  if (language) {
    out.emplace_back("weights_digest", language->info().weights_digest);
    const EngineStats s = language->stats();
    out.emplace_back("engine", counters(s));
    out.emplace_back("kv", pages(s.kv));
  }
  if (network) {
    out.emplace_back("weights_digest", network->info().weights_digest);
    out.emplace_back("engine", counters(network->stats()));
  }
  return Value::object(std::move(out));
}

}  // namespace consort
