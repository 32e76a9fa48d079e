// Run: one accepted job inside a LanguageEngine; Sequence: one token sequence of a run in the step batch.
// Internal to scheduler/decode; everything here belongs to the lane's thread.
#pragma once

#include <climits>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "memory/kv/kv_cache.h"
#include "models/alphabet/byte_vocabulary.h"
#include "models/model.h"
#include "models/tokenizer/tokenizer.h"
#include "scheduler/decode/byte_combiner.h"
#include "scheduler/decode/jobs.h"
#include "scheduler/decode/kept_ends.h"
#include "scheduler/decode/row_doubt.h"
#include "scheduler/decode/sampler.h"

namespace consort {

class Run;

struct Sequence {
  Run* run = nullptr;
  int branch = 0;               // of its run
  KvSequence kv;                // its length: tokens computed
  std::vector<TokenId> tokens;  // given ones, then drawn ones
  int given = 0;
  int wanted_from = 0, wanted_to = 0;  // positions whose logits the run reads
  bool shareable = false;              // other runs may take its pages
  bool remembered = false;             // the prefix tree has its given tokens
  bool dropped = false;

  int computed() const { return kv.length(); }
  int pending() const { return static_cast<int>(tokens.size()) - kv.length(); }
  bool decoding() const { return static_cast<int>(tokens.size()) > given && pending() == 1; }
};

// What one row of logits said.
struct RowResult {
  TokenId token = -1;
  double logprob_nats = 0;
  RowDoubt doubt;  // where the run asked for it
  Status status;
};

// What a run may ask of its engine.
class RunHost {
 public:
  virtual ~RunHost() = default;
  virtual Sequence& add_sequence(Run& run, KvSequence kv, std::vector<TokenId> tokens) = 0;
  virtual void drop_sequence(Sequence& sequence) = 0;  // its pages are free at once
  virtual KvSequence new_kv() = 0;
  virtual const ModelInfo& model_info() const = 0;
  virtual const Tokenizer& model_tokenizer() const = 0;
  virtual int context() const = 0;
  virtual const ByteVocabulary& byte_vocabulary() = 0;  // made at the first use
  virtual KeptEnds& kept_ends() = 0;
};

class Run {
 public:
  explicit Run(JobTicket ticket) : ticket_(std::move(ticket)), submitted_(std::chrono::steady_clock::now()) {}
  virtual ~Run() = default;

  // Pages that it may come to hold at once with `branches` branches.
  virtual std::size_t pages_needed(int context) const = 0;
  virtual std::span<const TokenId> prompt() const = 0;  // what a shared prefix is looked for with
  virtual bool shares() const = 0;
  // Of the rows that it reads, only so many largest logits count (SequenceSlice::largest); 0: all.
  virtual int largest_needed() const { return 0; }

  // Adds its first sequence, which begins with what `prefix` holds of the prompt.
  virtual void begin(RunHost& host, KvSequence prefix) = 0;
  // Reads the logits after `position`. Rows of one step are read concurrently.
  virtual void read_row(const Sequence& s, int position, std::span<const float> logits,
                        SamplerScratch& scratch, RowResult& out) = 0;
  // Takes the results in order of positions; may add a token to the sequence or finish.
  virtual void take_row(RunHost& host, Sequence& s, int position, const RowResult& row) = 0;
  // Every token of `s` is computed.
  virtual void computed(RunHost& host, Sequence& s) = 0;
  // Once a step, before the batch is built: takes what has come from outside (sessions).
  virtual void poll(RunHost&) {}
  // Nothing to compute until something comes from outside; such a run does not keep the lane awake.
  virtual bool dormant() const { return false; }
  void fail_with(Error error);  // ends it unless it has finished
  // Its caller asked it to stop: ends it, with kCancelled or with what it has.
  virtual void cancel() { fail_with({ErrorKind::kCancelled, "the request was cancelled"}); }
  // The call of `done`, for the engine to make when the step's books are closed. Empty before the end.
  std::function<void()> take_outcome() { return std::exchange(outcome_, nullptr); }

  const JobTicket& ticket() const { return ticket_; }
  bool finished() const { return finished_; }
  void admitted(int cached_tokens);
  void first_result();  // prefill is over; the first call counts
  Usage& usage() { return usage_; }

  int branches = 1;         // sequences of this run at once, at most
  std::uint64_t order = 0;  // of admission
  std::size_t promised_pages = 0;

 protected:
  virtual std::function<void()> report(Error error) = 0;  // the call of `done` with an error
  // Marks it finished and closes the usage's books; settle() comes right after.
  void close_books();
  template <typename R>
  void settle(std::function<void(Result<R>)> done, R result) {
    outcome_ = [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); };
  }
  template <typename R>
  static std::function<void()> failure(std::function<void(Result<R>)> done, Error error) {
    return [done = std::move(done), error = std::move(error)] { done(tl::unexpected<Error>(error)); };
  }

 private:
  using Clock = std::chrono::steady_clock;
  JobTicket ticket_;
  Usage usage_;
  bool finished_ = false;
  std::function<void()> outcome_;
  Clock::time_point submitted_, admitted_, first_;
};

// The kinds. REQUIRES: the job was checked by the engine.
std::unique_ptr<Run> make_run(GenerateJob job, Sampler sampler, JobTicket ticket);
std::unique_ptr<Run> make_run(FuseJob job, Sampler sampler, ByteCombiner combiner, JobTicket ticket);
std::unique_ptr<Run> make_run(ScoreJob job, JobTicket ticket);
std::unique_ptr<Run> make_run(ScoreTextJob job, JobTicket ticket);
std::unique_ptr<Run> make_run(LogitsJob job, int vocab_size, JobTicket ticket);
std::unique_ptr<Run> make_run(NextTokensJob job, JobTicket ticket);
std::unique_ptr<Run> make_run(ByteScoreJob job, JobTicket ticket);
std::unique_ptr<Run> make_run(ByteSessionJob job, JobTicket ticket);

}  // namespace consort
