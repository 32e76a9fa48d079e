// What comes next behind a list of tokens, as strings. The end of the list stays kept (KeptEnds), so that a
// second question about it needs no forward pass and a longer list only its new tokens.
#include <cmath>
#include <utility>

#include "scheduler/decode/next_strings.h"
#include "scheduler/decode/run.h"

namespace consort {
namespace {

class NextTokensRun final : public Run {
 public:
  NextTokensRun(NextTokensJob job, JobTicket ticket) : Run(std::move(ticket)), job_(std::move(job)) {
    usage().prompt_tokens = static_cast<int>(job_.tokens.size());
  }

  std::size_t pages_needed(int) const override { return KvCache::pages_for(job_.tokens.size()); }
  std::span<const TokenId> prompt() const override { return job_.tokens; }
  bool shares() const override { return true; }

  void begin(RunHost& host, KvSequence prefix) override {
    vocabulary_ = &host.byte_vocabulary();
    if (const std::vector<float>* logits = host.kept_ends().logits_behind(job_.tokens)) {
      usage().cached_tokens = usage().prompt_tokens;
      if (const Status read = read_logits(*logits); !read) return fail_with(read.error());
      return finish();
    }
    Sequence& s = host.add_sequence(*this, std::move(prefix), job_.tokens);
    s.shareable = true;
    s.wanted_to = static_cast<int>(job_.tokens.size());
    s.wanted_from = s.wanted_to - 1;
  }

  void read_row(const Sequence&, int, std::span<const float> logits, SamplerScratch&,
                RowResult& out) override {
    logits_.assign(logits.begin(), logits.end());
    out.status = read_logits(logits);
  }

  void take_row(RunHost&, Sequence&, int, const RowResult&) override { first_result(); }

  void computed(RunHost& host, Sequence& s) override {
    host.kept_ends().keep({job_.tokens, s.kv.fork(), std::move(logits_)});
    finish();
  }

 private:
  Status read_logits(std::span<const float> logits) {
    const double log_sum = log_sum_exp(logits);
    if (!std::isfinite(log_sum))
      return fail(ErrorKind::kRuntime, "the model gave no finite logit", {}, "the weights may be damaged");
    result_.top = likeliest_strings(logits, log_sum, *vocabulary_, job_.top);
    for (const TokenAlternatives& ids : job_.wanted)
      result_.wanted_logprobs.push_back(joint_logprob(logits, log_sum, ids));
    return {};
  }

  void finish() {
    close_books();
    result_.usage = usage();
    settle(std::move(job_.done), std::move(result_));
  }

  std::function<void()> report(Error error) override {
    return failure(std::move(job_.done), std::move(error));
  }

  NextTokensJob job_;
  const ByteVocabulary* vocabulary_ = nullptr;
  std::vector<float> logits_;
  NextTokensResult result_;
};

}  // namespace

std::unique_ptr<Run> make_run(NextTokensJob job, JobTicket ticket) {
  return std::make_unique<NextTokensRun>(std::move(job), std::move(ticket));
}

}  // namespace consort
