// Growing texts, byte by byte: the live covers' states are sequences that share pages; the forks of one byte,
// of all strands, are computed together in one step. Sleeps while its mailbox is empty.
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

// One of the session's texts: its covers, and the sequences behind their states.
struct Strand {
  explicit Strand(ByteCover c) : cover(std::move(c)) {}
  ByteCover cover;
  std::map<ByteCover::Handle, int> ids;  // of the states' sequences
  std::string text;                      // all bytes so far
  std::string queue;                     // not taken yet
  int healing = 0;                       // bytes of the queue that were counted before
  double logprob = 0, kept = 1;          // of this letter's bytes
  bool idle() const { return cover.ready() && queue.empty(); }
};

class ByteSessionRun final : public Run {
 public:
  ByteSessionRun(ByteSessionJob job, JobTicket ticket) : Run(std::move(ticket)), job_(std::move(job)) {
    usage().prompt_tokens = static_cast<int>(job_.prompt.size());
  }

  // Strands share the prompt's pages and have their own for what comes.
  std::size_t pages_needed(int context) const override {
    const auto own = KvCache::pages_for(static_cast<std::size_t>(std::min(context, job_.max_bytes)) + 1) +
                     kPagesOfAState * static_cast<std::size_t>(job_.cover.max_states);
    return KvCache::pages_for(static_cast<std::size_t>(std::min(context, limit()))) +
           own * static_cast<std::size_t>(job_.max_strands);
  }
  std::span<const TokenId> prompt() const override { return job_.prompt; }
  bool shares() const override { return true; }

  void begin(RunHost& host, KvSequence prefix) override {
    vocabulary_ = &host.byte_vocabulary();
    if (job_.cover.canonical) filter_.emplace(host.model_tokenizer());
    std::size_t ordinary = job_.prompt.size();
    while (ordinary > 0 && !host.model_tokenizer().token_bytes(job_.prompt[ordinary - 1]).empty()) --ordinary;
    auto strand =
        std::make_unique<Strand>(ByteCover(*vocabulary_, job_.cover, filter_ ? &*filter_ : nullptr));
    const auto handle = strand->cover.restart(std::span<const TokenId>(job_.prompt).subspan(ordinary));
    strand->queue = job_.given;
    Sequence& s = add_state(host, *strand, handle, std::move(prefix), job_.prompt);
    s.shareable = true;
    strands_.push_back(std::move(strand));
    seen_ = Steady::now();
  }

  bool dormant() const override {
    return !strands_.empty() && idle() && !letter_ && !job_.box->waiting() &&
           !ticket().stop.stop_requested();
  }

  void poll(RunHost& host) override {
    if (letter_ || !idle()) return;
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
    state.strand->cover.supply(state.handle, std::move(state.masses));
    s.wanted_from = s.wanted_to = 0;
  }

  void computed(RunHost& host, Sequence&) override { advance(host); }

 private:
  struct Live {
    Sequence* sequence = nullptr;
    Strand* strand = nullptr;
    ByteCover::Handle handle = -1;
    TokenMasses masses;
  };

  // Tokens that a state may come to hold: a token has at least one byte.
  int limit() const { return static_cast<int>(job_.prompt.size() + job_.given.size()) + job_.max_bytes + 1; }
  int most(RunHost& host) const { return std::min(host.context(), limit()); }
  bool idle() const {
    return std::all_of(strands_.begin(), strands_.end(), [](const auto& s) { return s->idle(); });
  }

  Sequence& add_state(RunHost& host, Strand& strand, ByteCover::Handle handle, KvSequence kv,
                      std::vector<TokenId> tokens) {
    Sequence& s = host.add_sequence(*this, std::move(kv), std::move(tokens));
    s.branch = next_id_++;
    if (s.pending() > 0) {
      s.wanted_to = static_cast<int>(s.tokens.size());
      s.wanted_from = s.wanted_to - 1;
    }
    live_[s.branch] = {&s, &strand, handle, {}};
    strand.ids[handle] = s.branch;
    longest_ = std::max(longest_, static_cast<int>(s.tokens.size()));
    return s;
  }

  // Takes bytes as long as none needs a forward pass, all strands together; answers letters whose bytes are
  // all taken.
  void advance(RunHost& host) {
    while (!finished()) {
      for (auto& strand : strands_)
        while (!finished() && strand->cover.ready() && !strand->queue.empty()) take_byte(host, *strand);
      if (finished() || !idle()) return;
      if (letter_) answer(host);
      letter_ = job_.box->take();
      if (!letter_) return;
      seen_ = Steady::now();
      if (letter_->close) return finish();
      if (!letter_->steps.empty()) go_on(host);
    }
  }

  // The strands of the letter from those that are there. Each is used up by the last step from it.
  void go_on(RunHost& host) {
    const auto& steps = letter_->steps;
    const auto known = [&](const StrandStep& s) {
      return s.from >= 0 && static_cast<std::size_t>(s.from) < strands_.size();
    };
    if (steps.size() > static_cast<std::size_t>(job_.max_strands) ||
        !std::all_of(steps.begin(), steps.end(), known)) {
      letter_->done(fail(ErrorKind::kInvalid, "a step goes on from a strand that the session does not have",
                         "steps", "open the session with more strands"));
      letter_.reset();
      return;
    }
    std::vector<std::unique_ptr<Strand>> next;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto from = static_cast<std::size_t>(steps[i].from);
      const bool last = std::none_of(steps.begin() + static_cast<std::ptrdiff_t>(i) + 1, steps.end(),
                                     [&](const StrandStep& s) { return s.from == steps[i].from; });
      next.push_back(last ? std::move(strands_[from]) : copy(host, *strands_[from]));
      next.back()->queue = steps[i].bytes;
      next.back()->logprob = 0;
      next.back()->kept = 1;
    }
    for (auto& strand : strands_)
      if (strand)
        for (const auto& [handle, id] : strand->ids) drop(host, id);
    strands_ = std::move(next);
    counting_ = true;
  }

  std::unique_ptr<Strand> copy(RunHost& host, const Strand& from) {
    auto strand = std::make_unique<Strand>(from);
    strand->ids.clear();
    for (const auto& [handle, id] : from.ids) {
      const Sequence& s = *live_.at(id).sequence;
      add_state(host, *strand, handle, s.kv.fork(), s.tokens);
    }
    return strand;
  }

  void take_byte(RunHost& host, Strand& strand) {
    if (longest_ >= most(host))
      return fail_with({ErrorKind::kInvalid,
                        "the text does not fit the session or the model's context",
                        {},
                        "shorten it"});
    const char byte = strand.queue.front();
    strand.queue.erase(strand.queue.begin());
    forks_.clear();
    const ByteCover::Step step = strand.cover.consume(static_cast<std::uint8_t>(byte), forks_);
    const bool again = strand.healing > 0;  // was counted before
    if (again)
      --strand.healing;
    else
      strand.text.push_back(byte);
    if (counting_ && !again) {
      strand.logprob += std::log(std::max(step.probability, kLeastProbability));
      strand.kept = std::min(strand.kept, 1 - step.pruned);
    }
    if (step.probability > 0)
      for (const ByteCover::Fork& fork : forks_) add_fork(host, strand, fork);
    else
      heal(host, strand);
    for (const ByteCover::Handle handle : strand.cover.take_dropped()) {
      const auto at = strand.ids.find(handle);
      if (at == strand.ids.end()) continue;
      drop(host, at->second);
      strand.ids.erase(at);
    }
  }

  void add_fork(RunHost& host, Strand& strand, const ByteCover::Fork& fork) {
    const Sequence& parent = *live_.at(strand.ids.at(fork.parent)).sequence;
    std::vector<TokenId> tokens = parent.tokens;
    tokens.push_back(fork.token);
    add_state(host, strand, fork.child, parent.kv.fork(), std::move(tokens));
  }

  void drop(RunHost& host, int id) {
    const auto at = live_.find(id);
    host.drop_sequence(*at->second.sequence);
    live_.erase(at);
  }

  // No cover is left: pruning took them, or the model has no token for a byte. The text so far is encoded
  // anew; its last token's bytes are covered again, unless that is where the covers ended.
  void heal(RunHost& host, Strand& strand) {
    const Tokenizer& tokenizer = host.model_tokenizer();
    ++healed_;
    std::vector<TokenId> own = tokenizer.encode(strand.text);
    std::string again;
    if (strand.healing == 0 && own.size() > 1) {
      again = tokenizer.token_bytes(own.back());
      own.pop_back();
    } else {
      strand.queue.erase(0, static_cast<std::size_t>(strand.healing));
      strand.healing = 0;
    }
    std::vector<TokenId> tokens = job_.prompt;
    tokens.insert(tokens.end(), own.begin(), own.end());
    if (static_cast<int>(tokens.size()) > host.context())
      return fail_with({ErrorKind::kInvalid, "the text does not fit the model's context", {}, "shorten it"});
    const auto handle = strand.cover.restart(own);
    add_state(host, strand, handle, host.new_kv(), std::move(tokens));
    strand.healing = static_cast<int>(again.size());
    strand.queue.insert(0, again);
  }

  void answer(RunHost& host) {
    NextBytesResult result;
    for (const auto& strand : strands_) {
      const ByteCover::Distribution p = strand->cover.distribution();
      result.distributions.insert(result.distributions.end(), p.begin(), p.end());
      result.logprobs_nats.push_back(strand->logprob);
      result.kept.push_back(strand->kept);
      result.states += static_cast<int>(strand->cover.states());
    }
    result.full = longest_ >= most(host);
    (usage().prefill_ms > 0 ? usage().decode_ms : usage().prefill_ms) +=
        std::chrono::duration<double, std::milli>(Steady::now() - seen_).count();
    count_usage(result);
    letter_->done(std::move(result));
    letter_.reset();
    counting_ = false;
  }

  void count_usage(NextBytesResult& result) {
    result.forwards = forwards_;
    result.healed = healed_;
    usage().completion_tokens = static_cast<int>(forwards_);
    result.usage = usage();
  }

  void finish() {
    close_books();
    NextBytesResult result;
    count_usage(result);
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
  std::vector<std::unique_ptr<Strand>> strands_;
  std::map<int, Live> live_;  // by the sequences' branch
  int next_id_ = 0;
  std::vector<ByteCover::Fork> forks_;
  std::optional<ByteMailbox::Letter> letter_;
  bool counting_ = false;  // the bytes of a letter, not of the prompt
  std::int64_t forwards_ = 0;
  int healed_ = 0, longest_ = 0;
  Steady::time_point seen_;
};

}  // namespace

std::unique_ptr<Run> make_run(ByteSessionJob job, JobTicket ticket) {
  return std::make_unique<ByteSessionRun>(std::move(job), std::move(ticket));
}

}  // namespace consort
