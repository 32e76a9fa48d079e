// A growing text, byte by byte: the live covers' states are sequences that share pages; the forks of one byte
// are computed together in one step. Sleeps while its mailbox is empty.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "models/alphabet/byte_cover.h"
#include "scheduler/decode/byte_weights.h"
#include "scheduler/decode/run.h"

namespace consort {

Status ByteMailbox::put(Letter letter) {
  std::lock_guard lock(mutex_);
  if (ended_) return fail(ErrorKind::kNotFound, "the session has ended", {}, "open a new one");
  letters_.push_back(std::move(letter));
  return {};
}

std::optional<ByteMailbox::Letter> ByteMailbox::take() {
  std::lock_guard lock(mutex_);
  if (letters_.empty()) return std::nullopt;
  Letter letter = std::move(letters_.front());
  letters_.pop_front();
  return letter;
}

bool ByteMailbox::waiting() const {
  std::lock_guard lock(mutex_);
  return !letters_.empty();
}

std::vector<ByteMailbox::Letter> ByteMailbox::end() {
  std::lock_guard lock(mutex_);
  ended_ = true;
  std::vector<Letter> left(std::make_move_iterator(letters_.begin()),
                           std::make_move_iterator(letters_.end()));
  letters_.clear();
  return left;
}

namespace {

using Steady = std::chrono::steady_clock;

// Pages beyond the text's own that a state may hold: its copy of a shared page and a fresh one.
constexpr std::size_t kPagesOfAState = 2;
constexpr double kLeastProbability = 1e-38;  // of a byte that no cover allows

class ByteSessionRun final : public Run {
 public:
  ByteSessionRun(ByteSessionJob job, JobTicket ticket) : Run(std::move(ticket)), job_(std::move(job)) {
    usage().prompt_tokens = static_cast<int>(job_.prompt.size());
  }

  std::size_t pages_needed(int context) const override {
    return KvCache::pages_for(static_cast<std::size_t>(std::min(context, limit()))) +
           kPagesOfAState * static_cast<std::size_t>(job_.cover.max_states);
  }
  std::span<const TokenId> prompt() const override { return job_.prompt; }
  bool shares() const override { return true; }

  void begin(RunHost& host, KvSequence prefix) override {
    if (job_.cover.canonical) filter_.emplace(host.model_tokenizer());
    cover_.emplace(host.byte_vocabulary(), job_.cover, filter_ ? &*filter_ : nullptr);
    std::size_t ordinary = job_.prompt.size();
    while (ordinary > 0 && !host.model_tokenizer().token_bytes(job_.prompt[ordinary - 1]).empty()) --ordinary;
    anchor_ = job_.prompt;
    const auto handle = cover_->restart(std::span<const TokenId>(job_.prompt).subspan(ordinary));
    Sequence& s = add_state(host, handle, std::move(prefix), job_.prompt);
    s.shareable = true;
    queue_ = job_.given;
    seen_ = Steady::now();
  }

  bool dormant() const override {
    return cover_ && cover_->ready() && queue_.empty() && !letter_ && !job_.box->waiting() &&
           !ticket().stop.stop_requested();
  }

  void poll(RunHost& host) override {
    if (letter_ || !cover_->ready() || !queue_.empty()) return;
    if (Steady::now() - seen_ > kSessionIdle && !job_.box->waiting())
      return fail_with({ErrorKind::kTimeout, "nobody asked the session for anything for too long"});
    advance(host);
  }

  void read_row(const Sequence& s, int, std::span<const float> logits, SamplerScratch& scratch,
                RowResult& out) override {
    const double sum = byte_weights(logits, job_.cover.temperature, scratch);
    if (!(sum > 0)) {
      out.status = fail(ErrorKind::kRuntime, "the model gave no finite logit");
      return;
    }
    live_.at(s.branch).masses = TokenMasses(*vocabulary_, scratch.weights, sum, vocabulary_->root());
  }

  void take_row(RunHost&, Sequence& s, int, const RowResult&) override {
    first_result();
    ++forwards_;
    Live& state = live_.at(s.branch);
    cover_->supply(s.branch, std::move(state.masses));
    s.wanted_from = s.wanted_to = 0;
  }

  void computed(RunHost& host, Sequence&) override {
    if (cover_->ready()) advance(host);
  }

 private:
  struct Live {
    Sequence* sequence = nullptr;
    TokenMasses masses;
  };

  // Tokens that a state may come to hold: a token has at least one byte.
  int limit() const { return static_cast<int>(job_.prompt.size() + job_.given.size()) + job_.max_bytes + 1; }

  Sequence& add_state(RunHost& host, ByteCover::Handle handle, KvSequence kv, std::vector<TokenId> tokens) {
    vocabulary_ = &host.byte_vocabulary();
    Sequence& s = host.add_sequence(*this, std::move(kv), std::move(tokens));
    s.branch = static_cast<int>(handle);
    s.wanted_to = static_cast<int>(s.tokens.size());
    s.wanted_from = s.wanted_to - 1;
    live_[s.branch] = {&s, {}};
    longest_ = std::max(longest_, s.wanted_to);
    return s;
  }

  // Takes bytes as long as none needs a forward pass; answers letters whose bytes are all taken.
  void advance(RunHost& host) {
    while (!finished() && cover_->ready()) {
      if (!queue_.empty()) {
        if (!take_byte(host)) return;
        continue;
      }
      if (letter_) {
        answer(host);
        continue;
      }
      letter_ = job_.box->take();
      if (!letter_) return;
      seen_ = Steady::now();
      if (letter_->close) return finish();
      queue_ = letter_->bytes;
      counting_ = true;
      logprob_ = 0;
      kept_ = 1;
    }
  }

  bool take_byte(RunHost& host) {
    if (longest_ >= std::min(host.context(), limit())) {
      fail_with({ErrorKind::kInvalid,
                 "the text does not fit the session or the model's context",
                 {},
                 "shorten it"});
      return false;
    }
    const char byte = queue_.front();
    queue_.erase(queue_.begin());
    forks_.clear();
    const ByteCover::Step step = cover_->consume(static_cast<std::uint8_t>(byte), forks_);
    const bool again = healing_ > 0;  // was counted before
    if (again)
      --healing_;
    else
      text_.push_back(byte);
    if (counting_ && !again) {
      logprob_ += std::log(std::max(step.probability, kLeastProbability));
      kept_ = std::min(kept_, 1 - step.pruned);
    }
    if (step.probability > 0)
      for (const ByteCover::Fork& fork : forks_) add_fork(host, fork);
    else
      heal(host);
    drop_states(host);
    return true;
  }

  void add_fork(RunHost& host, const ByteCover::Fork& fork) {
    const Sequence& parent = *live_.at(static_cast<int>(fork.parent)).sequence;
    std::vector<TokenId> tokens = parent.tokens;
    tokens.push_back(fork.token);
    add_state(host, fork.child, parent.kv.fork(), std::move(tokens));
  }

  void drop_states(RunHost& host) {
    for (const ByteCover::Handle handle : cover_->take_dropped()) {
      const auto at = live_.find(static_cast<int>(handle));
      if (at == live_.end()) continue;
      host.drop_sequence(*at->second.sequence);
      live_.erase(at);
    }
  }

  // No cover is left: pruning took them, or the model has no token for a byte. The text so far is encoded
  // anew; its last token's bytes are covered again, unless that is where the covers ended.
  void heal(RunHost& host) {
    const Tokenizer& tokenizer = host.model_tokenizer();
    ++healed_;
    std::vector<TokenId> own = tokenizer.encode(text_);
    std::string again;
    if (healing_ == 0 && own.size() > 1) {
      again = tokenizer.token_bytes(own.back());
      own.pop_back();
    } else {
      queue_.erase(0, static_cast<std::size_t>(healing_));
      healing_ = 0;
    }
    std::vector<TokenId> tokens = anchor_;
    tokens.insert(tokens.end(), own.begin(), own.end());
    if (static_cast<int>(tokens.size()) > host.context())
      return fail_with({ErrorKind::kInvalid, "the text does not fit the model's context", {}, "shorten it"});
    const auto handle = cover_->restart(own);
    add_state(host, handle, host.new_kv(), std::move(tokens));
    healing_ = static_cast<int>(again.size());
    queue_.insert(0, again);
  }

  void answer(RunHost& host) {
    NextBytesResult result;
    const ByteCover::Distribution p = cover_->distribution();
    result.distribution.assign(p.begin(), p.end());
    result.logprob_nats = logprob_;
    result.kept = kept_;
    result.states = static_cast<int>(cover_->states());
    result.forwards = forwards_;
    result.healed = healed_;
    result.full = longest_ >= std::min(host.context(), limit());
    usage().completion_tokens = static_cast<int>(forwards_);
    result.usage = usage();
    letter_->done(std::move(result));
    letter_.reset();
    counting_ = false;
  }

  void finish() {
    close_books();
    NextBytesResult result;
    result.forwards = forwards_;
    result.healed = healed_;
    usage().completion_tokens = static_cast<int>(forwards_);
    result.usage = usage();
    settle(std::move(letter_->done), std::move(result));
    letter_.reset();
    report({ErrorKind::kNotFound, "the session has ended", {}, "open a new one"})();
  }

  // Everybody who waits is told.
  std::function<void()> report(Error error) override {
    std::vector<ByteMailbox::Letter> letters = job_.box->end();
    if (letter_) letters.insert(letters.begin(), std::move(*letter_));
    letter_.reset();
    return [letters = std::move(letters), error = std::move(error)] {
      for (const auto& letter : letters)
        if (letter.done) letter.done(tl::unexpected<Error>(error));
    };
  }

  ByteSessionJob job_;
  const ByteVocabulary* vocabulary_ = nullptr;
  std::optional<CanonicalFilter> filter_;
  std::optional<ByteCover> cover_;
  std::map<int, Live> live_;  // by handle
  std::vector<ByteCover::Fork> forks_;
  std::vector<TokenId> anchor_;  // what stands before text_
  std::string text_;             // all bytes so far
  std::string queue_;            // not taken yet
  std::optional<ByteMailbox::Letter> letter_;
  bool counting_ = false;  // the bytes of a letter, not of the prompt
  int healing_ = 0;        // bytes of the queue that were counted before
  double logprob_ = 0, kept_ = 1;
  std::int64_t forwards_ = 0;
  int healed_ = 0, longest_ = 0;
  Steady::time_point seen_;
};

}  // namespace

std::unique_ptr<Run> make_run(ByteSessionJob job, JobTicket ticket) {
  return std::make_unique<ByteSessionRun>(std::move(job), std::move(ticket));
}

}  // namespace consort
