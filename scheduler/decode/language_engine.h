// LanguageEngine: continuous batching for one language model. Every request of every agent to this model is
// served by the same step batch: decode first, then a bounded chunk of prefill. Prompts share KV pages
// through the prefix tree and with running sequences. A sequence's result depends on its own tokens and seed
// only.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "memory/device/device_pool.h"
#include "memory/kv/kv_cache.h"
#include "models/model.h"
#include "models/tokenizer/tokenizer.h"
#include "scheduler/decode/engine_stats.h"
#include "scheduler/decode/jobs.h"
#include "scheduler/lane/work.h"

namespace consort {

class ByteVocabulary;

struct EngineOptions {
  int max_sequences = 32;  // running at once; also the most rows that decode in one step
  int max_queue = 256;     // jobs that wait or run; more are refused with kUnavailable
  // Prefill tokens in a step, at most: where nobody else waits, and beside decoding sequences or other work
  // of the lane. Fewer are taken where the measured cost says that a step would last longer than this.
  int prefill_chunk = 256;
  int busy_prefill_chunk = 64;
  std::chrono::milliseconds calm_step{50};  // an arrival waits so long at worst
  std::chrono::milliseconds busy_step{10};  // as kYield
  int score_rows = 32;           // rows of logits in a step besides one for each decoding sequence
  int max_context = 0;           // 0 = the model's own
  std::size_t kv_max_bytes = 0;  // 0 = the pool's limit
  std::size_t prefix_max_bytes = std::size_t{256} << 20;  // pages that only the prefix tree holds; 0 = none
};

// Created on any thread; step(), need() and relieve() on the lane's; submit and stats on any.
class LanguageEngine final : public StepWorker {
 public:
  // Errors: those of KvCache::create; kInvalid for options out of range.
  static Result<std::shared_ptr<LanguageEngine>> create(std::unique_ptr<Model> model,
                                                        std::shared_ptr<const Tokenizer> tokenizer,
                                                        DevicePool& pool, EngineOptions options = {});
  ~LanguageEngine() override;  // fails what is left with kCancelled; after Lane::detach

  // Errors (then `done` is not called): kUnavailable when the queue is full or the engine is closed; kInvalid
  // for empty prompts, ids outside the vocabulary, prompts beyond the context, options out of range.
  Status submit(GenerateJob job, JobTicket ticket = {});
  Status submit(FuseJob job, JobTicket ticket = {});
  Status submit(ScoreJob job, JobTicket ticket = {});
  Status submit(ScoreTextJob job, JobTicket ticket = {});
  Status submit(LogitsJob job, JobTicket ticket = {});
  Status submit(NextTokensJob job, JobTicket ticket = {});
  Status submit(ByteScoreJob job, JobTicket ticket = {});
  Status submit(ByteSessionJob job, JobTicket ticket = {});
  void poke();  // a session's mailbox got a letter
  void close();  // refuses new jobs from now on; those accepted go on
  bool idle() const;
  // Called after submit() from its thread, so that the lane looks; set once, before the first submit.
  void set_waker(std::function<void()> wake);

  const ModelInfo& info() const;
  const Tokenizer& tokenizer() const;
  const ByteVocabulary& byte_vocabulary();  // made at the first use (Gemma: 0.1 s)
  int context_length() const;  // tokens that a sequence may hold
  EngineStats stats() const;
  KvCache& kv();  // lane's thread (tests: when nothing runs)

  Need need() override;
  void set_turn(TurnLength length) override;
  void step(Exec& exec) override;
  bool relieve(std::size_t bytes) override;

 private:
  struct Impl;
  explicit LanguageEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace consort
