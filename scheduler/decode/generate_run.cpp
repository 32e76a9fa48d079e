// Draws tokens one at a time until an end token, a stop string, max_tokens or the end of the context.
#include <algorithm>
#include <utility>

#include "scheduler/decode/run.h"
#include "scheduler/decode/text_writer.h"

namespace consort {
namespace {

class GenerateRun final : public Run {
 public:
  GenerateRun(GenerateJob job, Sampler sampler, JobTicket ticket)
      : Run(std::move(ticket)), job_(std::move(job)), writer_(job_, std::move(sampler)) {
    largest_needed_ = writer_.sampler().largest_needed();
    writer_.sampler().add_prompt(job_.prompt);
    usage().prompt_tokens = static_cast<int>(job_.prompt.size());
  }

  std::size_t pages_needed(int context) const override {
    const std::size_t asked = job_.prompt.size() + static_cast<std::size_t>(job_.max_tokens);
    return KvCache::pages_for(std::min(asked, static_cast<std::size_t>(context)));
  }
  std::span<const TokenId> prompt() const override { return job_.prompt; }
  bool shares() const override { return !job_.bypass_prefix_cache; }
  int largest_needed() const override { return job_.logprobs ? 0 : largest_needed_; }

  void begin(RunHost& host, KvSequence prefix) override {
    Sequence& s = host.add_sequence(*this, std::move(prefix), job_.prompt);
    s.shareable = shares();
    s.wanted_from = static_cast<int>(job_.prompt.size()) - 1;
    s.wanted_to = INT_MAX;
  }

  void read_row(const Sequence&, int position, std::span<const float> logits, SamplerScratch& scratch,
                RowResult& out) override {
    auto id = writer_.sampler().sample(logits, static_cast<std::uint64_t>(position) + 1, scratch);
    if (!id) {
      out.status = forward_error(id);
      return;
    }
    out.token = *id;
    if (job_.logprobs) out.logprob_nats = log_probability(logits, *id);
  }

  void take_row(RunHost& host, Sequence& s, int, const RowResult& row) override {
    if (!row.status) return fail_with(row.status.error());
    first_result();
    if (!writer_.ends(host, row.token)) logprob_nats_ += row.logprob_nats;
    Sequence* const own[] = {&s};
    if (const char* reason = writer_.take(host, row.token, own, usage())) finish(reason);
  }

  void cancel() override { job_.keep_partial && !finished() ? finish("cancelled") : Run::cancel(); }

  void computed(RunHost&, Sequence&) override {}  // the last row always adds a token or finishes

 private:
  void finish(const char* reason) {
    GenerateResult result;
    writer_.finish(reason, result);
    close_books();
    result.logprob_nats = logprob_nats_;
    result.usage = usage();
    settle(std::move(job_.done), std::move(result));
  }

  std::function<void()> report(Error error) override {
    return failure(std::move(job_.done), std::move(error));
  }

  GenerateJob job_;
  TextWriter writer_;
  double logprob_nats_ = 0;
  int largest_needed_ = 0;
};

}  // namespace

std::unique_ptr<Run> make_run(GenerateJob job, Sampler sampler, JobTicket ticket) {
  return std::make_unique<GenerateRun>(std::move(job), std::move(sampler), std::move(ticket));
}

}  // namespace consort
