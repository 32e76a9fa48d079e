// EngineCore: the lane's half of a LanguageEngine: admission, step batches, reading of logits. Internal to
// scheduler/decode. Thread: the lane's, except what is marked.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "memory/kv/kv_cache.h"
#include "models/model.h"
#include "models/tokenizer/tokenizer.h"
#include "scheduler/decode/engine_stats.h"
#include "scheduler/decode/language_engine.h"
#include "scheduler/decode/prefill_cost.h"
#include "scheduler/decode/run.h"

namespace consort {

class EngineCore final : public RunHost {
 public:
  EngineCore(std::unique_ptr<Model> model, std::shared_ptr<const Tokenizer> tokenizer, DevicePool& pool,
             EngineOptions options, std::unique_ptr<KvCache> kv, Region logits);
  ~EngineCore() override;

  // Any thread. Errors: kUnavailable when the queue is full or closed.
  Status enqueue(std::unique_ptr<Run> run);
  void close();
  bool idle() const { return open_jobs_.load() == 0; }
  EngineStats stats() const;
  void set_waker(std::function<void()> wake) { wake_ = std::move(wake); }
  const EngineOptions& options() const { return options_; }

  StepWorker::Need need();
  void set_turn(TurnLength length) { turn_ = length; }
  void step(Exec& exec);
  bool relieve(std::size_t bytes);
  KvCache& kv() { return *kv_; }

  Sequence& add_sequence(Run& run, KvSequence kv, std::vector<TokenId> tokens) override;
  void drop_sequence(Sequence& sequence) override;
  KvSequence new_kv() override { return kv_->new_sequence(); }
  const ModelInfo& model_info() const override { return model_->info(); }
  const Tokenizer& model_tokenizer() const override { return *tokenizer_; }
  int context() const override { return context_; }
  const ByteVocabulary& byte_vocabulary() override;  // any thread
  KeptEnds& kept_ends() override { return ends_; }
  void poke() {
    if (wake_) wake_();
  }

 private:
  struct Slice {  // a sequence's part of this step
    Sequence* sequence = nullptr;
    int start = 0, tokens = 0;
    LogitsWanted wanted = LogitsWanted::kNone;
    bool decode = false;
  };
  struct Row {
    Sequence* sequence = nullptr;
    int position = 0;
    RowResult result;
  };
  struct Prefix {
    KvSequence kv;
    bool wait = false;  // a running sequence is about to compute more of it
  };

  // admission.cpp
  void take_arrivals();
  void drop_cancelled_and_late();
  void admit();
  std::size_t pages_for(Run& run) const;
  void begin(std::unique_ptr<Run> run, std::size_t pages, KvSequence prefix);
  Prefix find_prefix(const Run& run);
  void remember(Sequence& s, std::size_t tokens);
  void sweep();       // removes dropped sequences and finished runs, keeps their outcomes
  void close_step();  // publishes the counters, then tells the outcomes

  // step_batch.cpp
  void plan();
  int prefill_budget() const;
  void count_prefill(double forward_ms);
  void plan_slice(Sequence& s, int& budget, int& rows);
  bool add_slice(Sequence& s, int tokens, LogitsWanted wanted, bool decode);
  Status forward(Exec& exec);
  void blame(Error error);
  void read_rows(Exec& exec);
  void take_rows();
  void charge(const Slice& slice, std::size_t unread_bytes);
  void publish_stats();

  const std::unique_ptr<Model> model_;
  const std::shared_ptr<const Tokenizer> tokenizer_;
  DevicePool& pool_;
  const EngineOptions options_;
  const int context_;
  std::unique_ptr<KvCache> kv_;
  KeptEnds ends_;  // behind the cache that they point into
  std::once_flag vocabulary_made_;
  std::unique_ptr<const ByteVocabulary> byte_vocabulary_;
  Region logits_;
  std::function<void()> wake_;

  mutable std::mutex mutex_;  // arrivals_, closed_, shown_
  std::vector<std::unique_ptr<Run>> arrivals_;
  bool closed_ = false;
  EngineStats shown_;
  std::atomic<int> open_jobs_{0};

  std::deque<std::unique_ptr<Run>> waiting_;          // by class, deadline, arrival
  std::vector<std::unique_ptr<Run>> running_;         // by admission
  std::vector<std::unique_ptr<Sequence>> sequences_;  // by class, deadline, admission of their runs
  std::size_t promised_pages_ = 0;
  std::uint64_t next_order_ = 0;
  EngineStats counts_;

  TurnLength turn_ = kNoHurry;  // finite: others wait for the lane
  PrefillCost prefill_cost_;  // measured

  // This step's, kept to reuse their memory.
  std::vector<Slice> slices_;
  std::vector<SequenceSlice> model_slices_;
  std::vector<Row> rows_;
  std::vector<SamplerScratch> scratch_;  // one a compute thread
  std::vector<std::function<void()>> outcomes_;
};

}  // namespace consort
