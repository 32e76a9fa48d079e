// Log-probability of candidates after one prompt. The prompt is computed once; each candidate is a branch
// that shares its pages, so that exactly prompt + sum(candidates) tokens are prefilled.
#include <algorithm>
#include <utility>

#include "scheduler/decode/run.h"

namespace consort {
namespace {

class ScoreRun final : public Run {
 public:
  ScoreRun(ScoreJob job, JobTicket ticket)
      : Run(std::move(ticket)), job_(std::move(job)), logprobs_(job_.candidates.size()) {
    usage().prompt_tokens = static_cast<int>(job_.prompt.size());
  }

  std::size_t pages_needed(int) const override {
    std::size_t longest = 0;
    for (const auto& c : job_.candidates) longest = std::max(longest, c.size());
    const std::size_t at_once = std::min(job_.candidates.size(), static_cast<std::size_t>(branches));
    return KvCache::pages_for(job_.prompt.size()) + at_once * (KvCache::pages_for(longest) + 1);
  }
  std::span<const TokenId> prompt() const override { return job_.prompt; }
  bool shares() const override { return !job_.bypass_prefix_cache; }

  void begin(RunHost& host, KvSequence prefix) override {
    Sequence& s = host.add_sequence(*this, std::move(prefix), job_.prompt);
    s.branch = -1;  // the prompt itself
    s.shareable = shares();
    s.wanted_to = static_cast<int>(job_.prompt.size());
    s.wanted_from = s.wanted_to - 1;
    prefix_ = &s;
  }

  void read_row(const Sequence& s, int position, std::span<const float> logits, SamplerScratch&,
                RowResult& out) override {
    if (s.branch >= 0) {
      out.logprob_nats = log_probability(logits, s.tokens[static_cast<std::size_t>(position) + 1]);
      return;
    }
    const double sum = log_sum_exp(logits);  // one row gives the first token of every candidate
    for (std::size_t i = 0; i < job_.candidates.size(); ++i)
      logprobs_[i] = static_cast<double>(logits[static_cast<std::size_t>(job_.candidates[i].front())]) - sum;
  }

  void take_row(RunHost&, Sequence& s, int, const RowResult& row) override {
    first_result();
    if (s.branch >= 0) logprobs_[static_cast<std::size_t>(s.branch)] += row.logprob_nats;
  }

  void computed(RunHost& host, Sequence& s) override {
    if (s.branch >= 0) {
      host.drop_sequence(s);
      --open_;
    }
    while (next_ < job_.candidates.size() && open_ < branches) add_branch(host);
    if (open_ == 0) finish();
  }

 private:
  void add_branch(RunHost& host) {
    const auto& candidate = job_.candidates[next_];
    std::vector<TokenId> tokens = job_.prompt;
    tokens.insert(tokens.end(), candidate.begin(), candidate.end());
    Sequence& s = host.add_sequence(*this, prefix_->kv.fork(), std::move(tokens));
    s.branch = static_cast<int>(next_++);
    s.wanted_from = static_cast<int>(job_.prompt.size());
    s.wanted_to = static_cast<int>(s.tokens.size()) - 1;
    ++open_;
  }

  void finish() {
    close_books();
    ScoreResult result;
    for (std::size_t i = 0; i < job_.candidates.size(); ++i) {
      const auto tokens = static_cast<int>(job_.candidates[i].size());
      result.candidates.push_back({logprobs_[i], tokens, job_.bytes[i]});
      usage().prompt_tokens += tokens;
    }
    result.usage = usage();
    settle(std::move(job_.done), std::move(result));
  }

  std::function<void()> report(Error error) override {
    return failure(std::move(job_.done), std::move(error));
  }

  ScoreJob job_;
  std::vector<double> logprobs_;
  Sequence* prefix_ = nullptr;
  std::size_t next_ = 0;
  int open_ = 0;
};

}  // namespace

std::unique_ptr<Run> make_run(ScoreJob job, JobTicket ticket) {
  return std::make_unique<ScoreRun>(std::move(job), std::move(ticket));
}

}  // namespace consort
