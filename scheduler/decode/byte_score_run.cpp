// Log-probabilities of a text's bytes: the rows along its own tokens by prefill, then the forks off them,
// place by place; a fork shares the pages of what it leaves and computes one token.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "models/alphabet/text_cover.h"
#include "scheduler/decode/byte_weights.h"
#include "scheduler/decode/run.h"

namespace consort {
namespace {

constexpr int kPath = -1;  // branch of the path's sequence; forks count from 0
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
// Pages that forks hold beside the path's: for each row at once, those whose descendants are still to come.
constexpr std::size_t kPagesOfAFork = 8;

class ByteScoreRun final : public Run {
 public:
  ByteScoreRun(ByteScoreJob job, JobTicket ticket) : Run(std::move(ticket)), job_(std::move(job)) {
    usage().prompt_tokens = static_cast<int>(job_.prompt.size() + job_.tokens.size());
  }

  std::size_t pages_needed(int) const override {
    const std::size_t longest = std::min(job_.prompt.size() + job_.tokens.size() + (job_.bos ? 1 : 0),
                                         static_cast<std::size_t>(job_.context));
    return KvCache::pages_for(longest) +
           (job_.covers ? kPagesOfAFork * static_cast<std::size_t>(branches) : 0);
  }
  std::span<const TokenId> prompt() const override { return {}; }
  bool shares() const override { return false; }

  void begin(RunHost& host, KvSequence) override {
    vocabulary_ = &host.byte_vocabulary();
    if (job_.cover.canonical) filter_.emplace(host.model_tokenizer());
    next_chunk(host);
  }

  void read_row(const Sequence& s, int position, std::span<const float> logits, SamplerScratch& scratch,
                RowResult& out) override {
    const bool on_path = s.branch == kPath;
    const auto row = static_cast<std::size_t>(position - (head_ - 1));
    if (on_path) out.logprob_nats = log_probability(logits, path_[row]);
    if (on_path && job_.doubt) out.doubt = row_doubt(logits, scratch);
    if (!job_.covers) return;
    const double sum = byte_weights(logits, job_.cover.temperature, scratch);
    const std::span<const float> weights = scratch.weights;
    if (on_path) {
      cover_->set_path_row(row, walk_row(*vocabulary_, weights, sum, cover_->behind(row)));
    } else {
      const auto fork = static_cast<std::size_t>(s.branch);
      cover_->set_fork_row(fork, walk_row(*vocabulary_, weights, sum, cover_->behind(forks_[fork])));
    }
  }

  void take_row(RunHost& host, Sequence& s, int, const RowResult& row) override {
    first_result();
    if (s.branch != kPath) return;
    result_.token_logprobs.push_back(row.logprob_nats);
    take_doubt(host, row.doubt);
  }

  void computed(RunHost& host, Sequence& s) override {
    if (s.branch == kPath)
      path_sequence_ = &s;
    else
      --open_;
    if (!job_.covers) return end_chunk(host);
    if (open_ == 0 && next_ == forks_.size()) {
      for (const int id : cover_->take_dropped()) drop(host, id);
      forks_ = cover_->next_forks();
      next_ = 0;
      if (forks_.empty()) return end_chunk(host);
    }
    while (next_ < forks_.size() && open_ < branches) add_fork(host);
  }

 private:
  // The next tokens of the text behind what stands in front of every chunk. Without anything in front the
  // chunk's first token is that, and has no probability.
  void next_chunk(RunHost& host) {
    std::vector<TokenId> tokens = job_.prompt;
    if (tokens.empty() && job_.bos) tokens.push_back(*job_.bos);
    const std::size_t room = static_cast<std::size_t>(job_.context) - tokens.size();
    const std::size_t end = std::min(job_.tokens.size(), at_ + room);
    if (tokens.empty()) {
      take_token(host, at_);
      tokens.push_back(job_.tokens[at_++]);
      unscored(ends_.back());
      result_.token_logprobs.push_back(kUnknown);
      take_doubt(host, {kUnknown, kUnknown, kUnknown, -1});
    }
    head_ = static_cast<int>(tokens.size());
    begin_ = ends_.empty() ? 0 : ends_.back();
    path_.assign(job_.tokens.begin() + static_cast<std::ptrdiff_t>(at_),
                 job_.tokens.begin() + static_cast<std::ptrdiff_t>(end));
    if (path_.empty()) return finish();
    std::vector<std::uint32_t> ends;
    for (; at_ < end; ++at_) {
      take_token(host, at_);
      ends.push_back(static_cast<std::uint32_t>(ends_.back() - begin_));
    }
    const std::string_view text = std::string_view(job_.text).substr(begin_, ends.back());
    std::vector<TokenId> recent;
    for (const TokenId id : tokens)
      if (host.model_tokenizer().token_bytes(id).empty())
        recent.clear();
      else
        recent.push_back(id);
    if (job_.covers) {
      cover_.emplace(text, path_, std::move(ends), recent, job_.cover, filter_ ? &*filter_ : nullptr);
      forks_.clear();
      next_ = 0;
    }
    tokens.insert(tokens.end(), path_.begin(), path_.end());
    tokens.pop_back();  // nothing is asked of the row behind the last
    Sequence& s = host.add_sequence(*this, host.new_kv(), std::move(tokens));
    s.branch = kPath;
    s.wanted_from = head_ - 1;
    s.wanted_to = static_cast<int>(s.tokens.size());
  }

  void take_token(RunHost& host, std::size_t index) {
    const std::size_t bytes = host.model_tokenizer().token_bytes(job_.tokens[index]).size();
    ends_.push_back((ends_.empty() ? 0 : ends_.back()) + bytes);
  }

  void unscored(std::size_t end) {
    if (!job_.covers) return;
    result_.byte_logprobs.resize(end, kUnknown);
    result_.kept.resize(end, 1.0);
  }

  void take_doubt(RunHost& host, const RowDoubt& doubt) {
    if (!job_.doubt) return;
    result_.entropies.push_back(doubt.entropy);
    result_.firsts.push_back(doubt.first);
    result_.seconds.push_back(doubt.second);
    const std::string bytes =
        doubt.likeliest < 0 ? std::string() : host.model_tokenizer().token_bytes(doubt.likeliest);
    result_.guesses.push_back(bytes.empty() ? -1 : static_cast<unsigned char>(bytes.front()));
  }

  void add_fork(RunHost& host) {
    const TextCover::Fork& fork = forks_[next_];
    const Sequence& parent = fork.parent < 0 ? *path_sequence_ : *alive_.at(fork.parent);
    const auto shared = fork.parent < 0 ? static_cast<std::size_t>(head_) + fork.path : parent.tokens.size();
    KvSequence kv = parent.kv.fork();
    kv.truncate(static_cast<int>(shared));
    std::vector<TokenId> tokens(parent.tokens.begin(),
                                parent.tokens.begin() + static_cast<std::ptrdiff_t>(shared));
    tokens.push_back(fork.token);
    Sequence& s = host.add_sequence(*this, std::move(kv), std::move(tokens));
    s.branch = static_cast<int>(next_++);
    s.wanted_to = static_cast<int>(s.tokens.size());
    s.wanted_from = s.wanted_to - 1;
    alive_[fork.id] = &s;
    ++open_;
  }

  void drop(RunHost& host, int fork) {
    const auto at = alive_.find(fork);
    host.drop_sequence(*at->second);
    alive_.erase(at);
  }

  void end_chunk(RunHost& host) {
    if (job_.covers) {
      const auto bytes = cover_->log_probabilities(), kept = cover_->kept();
      result_.byte_logprobs.insert(result_.byte_logprobs.end(), bytes.begin(), bytes.end());
      result_.kept.insert(result_.kept.end(), kept.begin(), kept.end());
      result_.log_mass += cover_->log_mass();
      result_.forks += static_cast<std::int64_t>(cover_->forks());
      cover_.reset();
    }
    for (const auto& [id, sequence] : alive_) host.drop_sequence(*sequence);
    alive_.clear();
    host.drop_sequence(*path_sequence_);
    path_sequence_ = nullptr;
    if (at_ < job_.tokens.size()) return next_chunk(host);
    finish();
  }

  // What the tokenizer put in front of the text is not part of it.
  void finish() {
    close_books();
    const auto hidden = static_cast<std::ptrdiff_t>(job_.hidden);
    for (const std::size_t end : ends_) result_.token_ends.push_back(static_cast<std::int64_t>(end) - hidden);
    if (job_.covers && hidden > 0) {
      result_.log_mass -=
          result_.byte_logprobs.front() == result_.byte_logprobs.front() ? result_.byte_logprobs.front() : 0;
      result_.byte_logprobs.erase(result_.byte_logprobs.begin(), result_.byte_logprobs.begin() + hidden);
      result_.kept.erase(result_.kept.begin(), result_.kept.begin() + hidden);
    }
    result_.usage = usage();
    settle(std::move(job_.done), std::move(result_));
  }

  std::function<void()> report(Error error) override {
    return failure(std::move(job_.done), std::move(error));
  }

  ByteScoreJob job_;
  ScoreBytesResult result_;
  const ByteVocabulary* vocabulary_ = nullptr;
  std::optional<CanonicalFilter> filter_;
  std::size_t at_ = 0;  // of the text's tokens
  std::vector<std::size_t> ends_;
  // This chunk's.
  int head_ = 0;           // tokens in front
  std::size_t begin_ = 0;  // byte
  std::vector<TokenId> path_;
  std::optional<TextCover> cover_;
  std::vector<TextCover::Fork> forks_;
  std::map<int, Sequence*> alive_;  // by the fork's id
  std::size_t next_ = 0;
  int open_ = 0;
  Sequence* path_sequence_ = nullptr;
};

}  // namespace

std::unique_ptr<Run> make_run(ByteScoreJob job, JobTicket ticket) {
  return std::make_unique<ByteScoreRun>(std::move(job), std::move(ticket));
}

}  // namespace consort
