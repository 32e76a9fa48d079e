// Negative log-likelihood of a long text, cut into chunks that are computed alone, one after the other.
#include <algorithm>
#include <utility>

#include "scheduler/decode/run.h"

namespace consort {
namespace {

class ScoreTextRun final : public Run {
 public:
  ScoreTextRun(ScoreTextJob job, JobTicket ticket) : Run(std::move(ticket)), job_(std::move(job)) {
    usage().prompt_tokens = static_cast<int>(job_.tokens.size());
  }

  std::size_t pages_needed(int) const override {
    const std::size_t longest =
        std::min(job_.tokens.size() + (job_.bos ? 1 : 0), static_cast<std::size_t>(job_.context));
    return KvCache::pages_for(longest);
  }
  std::span<const TokenId> prompt() const override { return {}; }
  bool shares() const override { return false; }

  void begin(RunHost& host, KvSequence) override { next_chunk(host); }

  void read_row(const Sequence& s, int position, std::span<const float> logits, SamplerScratch&,
                RowResult& out) override {
    out.token = s.tokens[static_cast<std::size_t>(position) + 1];
    out.logprob_nats = log_probability(logits, out.token);
  }

  void take_row(RunHost& host, Sequence&, int, const RowResult& row) override {
    first_result();
    result_.nll_nats -= row.logprob_nats;
    result_.bytes += host.model_tokenizer().token_bytes(row.token).size();
    ++result_.scored_tokens;
  }

  void computed(RunHost& host, Sequence& s) override {
    host.drop_sequence(s);
    if (at_ < job_.tokens.size()) return next_chunk(host);
    close_books();
    result_.tokens = static_cast<std::int64_t>(job_.tokens.size());
    result_.file_bytes = job_.file_bytes;
    result_.usage = usage();
    settle(std::move(job_.done), std::move(result_));
  }

 private:
  void next_chunk(RunHost& host) {
    std::vector<TokenId> tokens;
    if (job_.bos) tokens.push_back(*job_.bos);
    const std::size_t room = static_cast<std::size_t>(job_.context) - tokens.size();
    const std::size_t end = std::min(job_.tokens.size(), at_ + room);
    tokens.insert(tokens.end(), job_.tokens.begin() + static_cast<std::ptrdiff_t>(at_),
                  job_.tokens.begin() + static_cast<std::ptrdiff_t>(end));
    at_ = end;
    Sequence& s = host.add_sequence(*this, host.new_kv(), std::move(tokens));
    s.wanted_to = static_cast<int>(s.tokens.size()) - 1;  // the first token is not scored
  }

  std::function<void()> report(Error error) override {
    return failure(std::move(job_.done), std::move(error));
  }

  ScoreTextJob job_;
  ScoreTextResult result_;
  std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<Run> make_run(ScoreTextJob job, JobTicket ticket) {
  return std::make_unique<ScoreTextRun>(std::move(job), std::move(ticket));
}

}  // namespace consort
