// Logits of every position of a token list: the largest ones, the normaliser, and the whole last row.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "scheduler/decode/run.h"

namespace consort {
namespace {

struct Buffers {
  std::vector<std::int32_t> top_ids;
  std::vector<float> top_logits, logsumexp, last;
};

class LogitsRun final : public Run {
 public:
  LogitsRun(LogitsJob job, int vocab, JobTicket ticket)
      : Run(std::move(ticket)),
        job_(std::move(job)),
        top_(static_cast<std::size_t>(job_.top)),
        buffers_(std::make_shared<Buffers>()) {
    const std::size_t n = job_.tokens.size();
    buffers_->top_ids.resize(n * top_);
    buffers_->top_logits.resize(n * top_);
    buffers_->logsumexp.resize(n);
    buffers_->last.resize(static_cast<std::size_t>(vocab));
  }

  std::size_t pages_needed(int) const override { return KvCache::pages_for(job_.tokens.size()); }
  std::span<const TokenId> prompt() const override { return {}; }
  bool shares() const override { return false; }

  void begin(RunHost& host, KvSequence) override {
    Sequence& s = host.add_sequence(*this, host.new_kv(), job_.tokens);
    s.wanted_to = static_cast<int>(job_.tokens.size());
  }

  void read_row(const Sequence&, int position, std::span<const float> logits, SamplerScratch& scratch,
                RowResult&) override {
    const auto at = static_cast<std::size_t>(position);
    buffers_->logsumexp[at] = static_cast<float>(log_sum_exp(logits));
    if (at + 1 == job_.tokens.size()) std::copy(logits.begin(), logits.end(), buffers_->last.begin());
    const auto value = [&](std::uint32_t id) {
      return std::isnan(logits[id]) ? -std::numeric_limits<float>::infinity() : logits[id];
    };
    auto& ids = scratch.kept;
    ids.resize(logits.size());
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::uint32_t>(i);
    std::partial_sort(
        ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(top_), ids.end(),
        [&](std::uint32_t a, std::uint32_t b) { return value(a) != value(b) ? value(a) > value(b) : a < b; });
    for (std::size_t i = 0; i < top_; ++i) {
      buffers_->top_ids[at * top_ + i] = static_cast<std::int32_t>(ids[i]);
      buffers_->top_logits[at * top_ + i] = logits[ids[i]];
    }
  }

  void take_row(RunHost&, Sequence&, int, const RowResult&) override { first_result(); }

  void computed(RunHost&, Sequence&) override {
    close_books();
    const auto n = static_cast<std::int64_t>(job_.tokens.size());
    const auto k = static_cast<std::int64_t>(top_);
    const auto v = static_cast<std::int64_t>(buffers_->last.size());
    LogitsResult r;
    r.top_ids = {"top_ids", make_view(buffers_->top_ids.data(), DType::kI32, {n, k}), buffers_};
    r.top_logits = {"top_logits", make_view(buffers_->top_logits.data(), DType::kF32, {n, k}), buffers_};
    r.logsumexp = {"logsumexp", make_view(buffers_->logsumexp.data(), DType::kF32, {n}), buffers_};
    r.last = {"last", make_view(buffers_->last.data(), DType::kF32, {v}), buffers_};
    settle(std::move(job_.done), std::move(r));
  }

 private:
  std::function<void()> report(Error error) override {
    return failure(std::move(job_.done), std::move(error));
  }

  LogitsJob job_;
  std::size_t top_;
  std::shared_ptr<Buffers> buffers_;
};

}  // namespace

std::unique_ptr<Run> make_run(LogitsJob job, int vocab_size, JobTicket ticket) {
  return std::make_unique<LogitsRun>(std::move(job), vocab_size, std::move(ticket));
}

}  // namespace consort
