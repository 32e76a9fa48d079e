#include "scheduler/decode/engine_core.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace consort {

EngineCore::EngineCore(std::unique_ptr<Model> model, std::shared_ptr<const Tokenizer> tokenizer,
                       DevicePool& pool, EngineOptions options, std::unique_ptr<KvCache> kv, Region logits)
    : model_(std::move(model)),
      tokenizer_(std::move(tokenizer)),
      pool_(pool),
      options_(options),
      context_(options.max_context > 0 ? std::min(options.max_context, model_->info().context_length)
                                       : model_->info().context_length),
      kv_(std::move(kv)),
      logits_(std::move(logits)),
      prefill_cost_(model_->info().flop_per_token) {}

EngineCore::~EngineCore() {
  take_arrivals();
  const auto end = [](auto& runs) {
    for (auto& run : runs) {
      run->fail_with({ErrorKind::kCancelled, "the model was unloaded"});
      if (const auto outcome = run->take_outcome()) outcome();
    }
  };
  end(waiting_);
  end(running_);
  sequences_.clear();  // before the cache that they point into
}

Status EngineCore::enqueue(std::unique_ptr<Run> run) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) {
      ++shown_.refused;
      return fail(ErrorKind::kUnavailable, "the model is being unloaded", model_->info().id,
                  "try again later");
    }
    if (open_jobs_.load() >= options_.max_queue) {
      ++shown_.refused;
      return fail(ErrorKind::kUnavailable,
                  fmt::format("the model's queue is full ({} requests)", options_.max_queue),
                  model_->info().id, "try again later or raise the queue's size");
    }
    const auto open = static_cast<std::size_t>(++open_jobs_);
    ++shown_.accepted;
    shown_.queue_peak = std::max(shown_.queue_peak, open);
    arrivals_.push_back(std::move(run));
  }
  if (wake_) wake_();
  return {};
}

void EngineCore::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
}

StepWorker::Need EngineCore::need() {
  take_arrivals();
  StepWorker::Need need;
  const auto see = [&](const std::unique_ptr<Run>& run) {
    if (run->dormant()) return;
    need.work = true;
    need.work_class = std::min(need.work_class, run->ticket().work_class);
    need.deadline = std::min(need.deadline, run->ticket().deadline);
  };
  for (const auto& run : waiting_) see(run);
  for (const auto& run : running_) see(run);
  return need;
}

// Gives up kept ends and remembered prefixes until a region of the KV cache has gone back to the pool.
bool EngineCore::relieve(std::size_t bytes) {
  const std::size_t before = kv_->stats().bytes_committed;
  ends_.clear();
  const auto freed = [&] { return before - kv_->stats().bytes_committed; };
  while (freed() < bytes && kv_->evict(1) > 0) {
  }
  return freed() > 0;
}

const ByteVocabulary& EngineCore::byte_vocabulary() {
  std::call_once(vocabulary_made_,
                 [this] { byte_vocabulary_ = std::make_unique<const ByteVocabulary>(*tokenizer_); });
  return *byte_vocabulary_;
}

void EngineCore::publish_stats() {
  std::lock_guard lock(mutex_);
  EngineStats next = counts_;
  next.accepted = shown_.accepted;
  next.refused = shown_.refused;
  next.queue_peak = shown_.queue_peak;
  next.queue_length = waiting_.size() + arrivals_.size();
  next.running_sequences = sequences_.size();
  next.logits_bytes = logits_.committed();
  next.kv = kv_->stats();
  shown_ = next;
}

// Whoever is told finds the memory free and the counters right.
void EngineCore::close_step() {
  publish_stats();
  std::vector<std::function<void()>> outcomes;
  outcomes.swap(outcomes_);
  for (const auto& outcome : outcomes)
    if (outcome) outcome();
}

EngineStats EngineCore::stats() const {
  std::lock_guard lock(mutex_);
  return shown_;
}

}  // namespace consort
