// One text by several prompts, temperatures or both of one model, in lock step: every distinct prompt is a
// sequence, what all prompts begin with is computed once and shared, the rows of one step are one batch and are
// fused to the row that the token is drawn from.
#include <algorithm>
#include <climits>
#include <utility>

#include "scheduler/decode/run.h"
#include "scheduler/decode/text_writer.h"
#include "scheduler/decode/token_fusion.h"

namespace consort {
namespace {

constexpr int kShared = -1;  // branch of the sequence that all prompts begin with

class FusedRun final : public Run {
 public:
  FusedRun(FuseJob job, Sampler sampler, ByteCombiner combiner, JobTicket ticket)
      : Run(std::move(ticket)),
        job_(std::move(job)),
        writer_(job_, std::move(sampler)),
        combiner_(std::move(combiner)),
        rows_(job_.members.size()),
        result_(job_.members.size()) {
    for (const FuseJob::Member& m : job_.members) {
      auto at = std::find(prompts_.begin(), prompts_.end(), m.prompt);
      lead_.push_back(static_cast<int>(at - prompts_.begin()));
      if (at == prompts_.end()) prompts_.push_back(m.prompt);
    }
    shared_ = prompts_.front().size();
    for (const auto& p : prompts_) {
      const auto end = std::mismatch(p.begin(), p.end(), prompts_[0].begin(), prompts_[0].end()).first;
      shared_ = std::min({shared_, static_cast<std::size_t>(end - p.begin()), p.size() - 1});
      longest_ = std::max(longest_, p.size());
      usage().prompt_tokens += static_cast<int>(p.size());
      writer_.sampler().add_prompt(p);
    }
  }

  std::size_t pages_needed(int context) const override {
    const std::size_t end = std::min(longest_ + static_cast<std::size_t>(job_.max_tokens),
                                     static_cast<std::size_t>(context));
    return prompts_.size() * (KvCache::pages_for(end) + 1);
  }
  std::span<const TokenId> prompt() const override {
    return prompts_.size() == 1 ? std::span<const TokenId>(prompts_[0])
                                : std::span<const TokenId>(prompts_[0]).first(shared_);
  }
  bool shares() const override { return !job_.bypass_prefix_cache; }

  void begin(RunHost& host, KvSequence prefix) override {
    sequences_.assign(prompts_.size(), nullptr);
    if (prompts_.size() == 1) return add(host, 0, std::move(prefix));
    if (shared_ == 0) {
      for (std::size_t i = 0; i < prompts_.size(); ++i) add(host, i, host.new_kv());
      return;
    }
    Sequence& s = host.add_sequence(
        *this, std::move(prefix),
        {prompts_[0].begin(), prompts_[0].begin() + static_cast<std::ptrdiff_t>(shared_)});
    s.branch = kShared;
    s.shareable = shares();
  }

  // Rows of different sequences are read at the same time, each into its own members' places.
  void read_row(const Sequence& s, int, std::span<const float> logits, SamplerScratch& scratch,
                RowResult& out) override {
    for (std::size_t m = 0; m < job_.members.size() && out.status; ++m)
      if (lead_[m] == s.branch) out.status = read_fused_row(logits, job_.members[m].temperature, scratch, rows_[m]);
  }

  void take_row(RunHost& host, Sequence&, int, const RowResult& row) override {
    if (!row.status) return fail_with(row.status.error());
    if (++ready_ == prompts_.size()) fuse(host);
  }

  void computed(RunHost& host, Sequence& s) override {
    if (s.branch != kShared) return;
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      if (i > 0) usage().prompt_tokens -= static_cast<int>(shared_);
      add(host, i, s.kv.fork());
    }
    host.drop_sequence(s);
  }

  void cancel() override { job_.keep_partial && !finished() ? finish("cancelled") : Run::cancel(); }

 private:
  void add(RunHost& host, std::size_t prompt, KvSequence kv) {
    Sequence& s = host.add_sequence(*this, std::move(kv), prompts_[prompt]);
    s.branch = static_cast<int>(prompt);
    s.shareable = shares() && prompts_.size() == 1;
    s.wanted_from = static_cast<int>(prompts_[prompt].size()) - 1;
    s.wanted_to = INT_MAX;
    sequences_[prompt] = &s;
  }

  void fuse(RunHost& host) {
    first_result();
    ready_ = 0;
    std::vector<const FusedRow*> rows;
    for (const FusedRow& row : rows_) rows.push_back(&row);
    fuse_rows(rows, combiner_, fused_);
    const auto position = longest_ + static_cast<std::size_t>(usage().completion_tokens);
    const auto id = writer_.sampler().sample(fused_, position, scratch_);
    if (!id) return fail_with(id.error());
    result_.signals += measure_fusion(rows, combiner_, fused_, scratch_);
    ++steps_;
    std::vector<double> said;
    for (std::size_t m = 0; m < rows.size(); ++m) {
      said.push_back(fused_log_probability(rows_[m], *id));
      result_.members[m].logprob_nats += said.back();
      result_.members[m].agreed += rows_[m].likeliest == *id ? 1 : 0;
    }
    result_.logprob_nats += log_probability(fused_, *id);
    if (combiner_.rule() == CombineRule::kBayes) (void)combiner_.observe(said);
    if (const char* reason = writer_.take(host, *id, sequences_, usage())) finish(reason);
  }

  void finish(const char* reason) {
    writer_.finish(reason, result_);
    close_books();
    if (steps_ > 0) result_.signals = result_.signals / steps_;
    const std::vector<double> weights = combiner_.weights();
    for (std::size_t m = 0; m < weights.size(); ++m) result_.members[m].weight = weights[m];
    result_.steps = steps_;
    result_.usage = usage();
    settle(std::move(job_.done), std::move(result_));
  }

  std::function<void()> report(Error error) override {
    return failure(std::move(job_.done), std::move(error));
  }

  FuseJob job_;
  TextWriter writer_;
  ByteCombiner combiner_;
  std::vector<std::vector<TokenId>> prompts_;  // distinct ones
  std::vector<int> lead_;                      // [members]: its prompt
  std::size_t shared_ = 0, longest_ = 0;
  std::vector<Sequence*> sequences_;  // [prompts]
  std::vector<FusedRow> rows_;        // [members]
  std::vector<float> fused_;
  SamplerScratch scratch_;
  std::size_t ready_ = 0;  // prompts whose row of this step is there
  int steps_ = 0;
  FuseResult result_;
};

}  // namespace

std::unique_ptr<Run> make_run(FuseJob job, Sampler sampler, ByteCombiner combiner, JobTicket ticket) {
  return std::make_unique<FusedRun>(std::move(job), std::move(sampler), std::move(combiner),
                                    std::move(ticket));
}

}  // namespace consort
