// EncoderEngine: batches texts of all requests to one encoder, a bounded number of tokens a step, so that a
// bulk embedding never holds the lane for long.
#pragma once

#include <memory>

#include "models/model.h"
#include "scheduler/decode/engine_stats.h"
#include "scheduler/decode/jobs.h"
#include "scheduler/lane/work.h"

namespace consort {

struct EncoderOptions {
  int max_queue = 256;         // jobs; more are refused with kUnavailable
  int max_texts = 4096;        // of one job
  int tokens_per_step = 1024;  // at least one text goes whatever its length
};

// Threads: as LanguageEngine.
class EncoderEngine final : public StepWorker {
 public:
  static Result<std::shared_ptr<EncoderEngine>> create(std::unique_ptr<Encoder> encoder,
                                                       EncoderOptions options = {});
  ~EncoderEngine() override;

  // Errors (then `done` is not called): kUnavailable when full or closed; kInvalid for no texts, too many, an
  // empty one or one beyond the encoder's limit.
  Status submit(EmbedJob job, JobTicket ticket = {});
  void close();
  bool idle() const;
  void set_waker(std::function<void()> wake);
  const EncoderInfo& info() const;
  EngineStats stats() const;

  Need need() override;
  void step(Exec& exec) override;
  bool relieve(std::size_t) override { return false; }

 private:
  struct Impl;
  explicit EncoderEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace consort
