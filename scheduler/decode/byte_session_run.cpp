// Growing texts, byte by byte: the live covers' states are sequences that share pages; the forks of one byte,
// of all strands, are computed together in one step. A guessed text (path) has its tokens computed ahead as one
// slice, and bytes can be taken back. Sleeps while its mailbox is empty.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "scheduler/decode/byte_states.h"
#include "scheduler/decode/byte_strand.h"
#include "scheduler/decode/byte_weights.h"
#include "scheduler/decode/run.h"

namespace consort {

namespace {

using Steady = std::chrono::steady_clock;

// Pages beyond the text's own that a state may hold: its copy of a shared page and a fresh one.
constexpr std::size_t kPagesOfAState = 2;
// With bytes that can be taken back: states for which memory is promised, in units of max_states. What is
// held beyond is given up, the oldest points first; going back to them encodes the text anew.
constexpr std::size_t kHeldOfRewinding = 2;
constexpr double kLeastProbability = 1e-38;  // of a byte that no cover allows
constexpr double kDoubtful = 0.01;  // of the bound: a byte with less may owe that to what was pruned
// Bytes that are not doubted after a doubt without reason: what looks like noise may be noise.
constexpr int kTrusted = 32;
constexpr std::size_t kPast = 256;  // more than a word is long

// The tokens that a guessed text is cut into, computed as one slice before the covers need them.
struct Ahead {
  Sequence* sequence = nullptr;
  int id = -1;
  std::size_t first = 0;            // tokens of the state that it goes on from
  std::vector<TokenMasses> masses;  // behind each token from there on
  bool ready = false;
};

class ByteSessionRun final : public Run {
 public:
  ByteSessionRun(ByteSessionJob job, JobTicket ticket) : Run(std::move(ticket)), job_(std::move(job)) {
    usage().prompt_tokens = static_cast<int>(job_.prompt.size());
  }

  // Strands share the prompt's pages and have their own for what comes.
  std::size_t pages_needed(int context) const override {
    const auto own = KvCache::pages_for(static_cast<std::size_t>(std::min(context, job_.max_bytes)) + 1) +
                     kPagesOfAState * held_states() +
                     (job_.rewind > 0 ? KvCache::pages_for(static_cast<std::size_t>(job_.rewind)) + 2 : 0);
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
    const auto handle = strand->cover->restart(std::span<const TokenId>(job_.prompt).subspan(ordinary));
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

  void read_row(const Sequence& s, int position, std::span<const float> logits, SamplerScratch& scratch,
                RowResult& out) override {
    const double sum = byte_weights(logits, job_.cover.temperature, scratch);
    if (!(sum > 0)) {
      out.status = fail(ErrorKind::kRuntime, "the model gave no finite logit");
      return;
    }
    TokenMasses masses(*vocabulary_, scratch.weights, sum, vocabulary_->root());
    if (ahead_ && s.branch == ahead_->id)
      ahead_->masses[static_cast<std::size_t>(position) - ahead_->first] = std::move(masses);
    else
      live_.at(s.branch).masses = std::move(masses);
  }

  void take_row(RunHost&, Sequence& s, int, const RowResult&) override {
    first_result();
    ++forwards_;
    if (ahead_ && s.branch == ahead_->id) return;
    ByteState& state = live_.at(s.branch);
    state.strand->cover->supply(state.handle, std::move(state.masses));
    s.wanted_from = s.wanted_to = 0;
  }

  void computed(RunHost& host, Sequence& s) override {
    if (ahead_ && s.branch == ahead_->id) ahead_->ready = true;
    --open_;
    advance(host);
  }

 private:
  std::size_t held_states() const {
    return static_cast<std::size_t>(job_.cover.max_states) * (job_.rewind > 0 ? kHeldOfRewinding : 1);
  }

  // Tokens that a state may come to hold: a token has at least one byte.
  int limit() const { return static_cast<int>(job_.prompt.size() + job_.given.size()) + job_.max_bytes + 1; }
  int most(RunHost& host) const { return std::min(host.context(), limit()); }
  bool idle() const {
    return std::all_of(strands_.begin(), strands_.end(), [](const auto& s) { return s->idle(); });
  }

  Sequence& add_state(RunHost& host, Strand& strand, ByteCover::Handle handle, KvSequence kv,
                      std::vector<TokenId> tokens) {
    Sequence& s = add_sequence(host, std::move(kv), std::move(tokens), 1);
    live_.add(s, strand, handle);
    strand.ids[handle] = s.branch;
    return s;
  }

  // The last `rows` tokens' rows are wanted, of those that are not computed.
  Sequence& add_sequence(RunHost& host, KvSequence kv, std::vector<TokenId> tokens, int rows) {
    Sequence& s = host.add_sequence(*this, std::move(kv), std::move(tokens));
    s.branch = next_id_++;
    if (s.pending() > 0) {
      s.wanted_to = static_cast<int>(s.tokens.size());
      s.wanted_from = s.wanted_to - rows;
      if (open_++ == 0) ++passes_;
    }
    longest_ = std::max(longest_, static_cast<int>(s.tokens.size()));
    return s;
  }

  // Takes bytes as long as none needs a forward pass, all strands together; answers letters whose bytes are
  // all taken.
  void advance(RunHost& host) {
    while (!finished()) {
      if (ahead_ && !ahead_->ready) return;
      for (auto& strand : strands_) {
        note_path(*strand);
        while (!finished() && strand->cover->ready() && !strand->queue.empty()) {
          take_byte(host, *strand);
          note_path(*strand);
        }
      }
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
    if (Status possible = check_steps(steps); !possible) {
      letter_->done(forward_error(possible));
      letter_.reset();
      return;
    }
    std::vector<std::unique_ptr<Strand>> next;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto from = static_cast<std::size_t>(steps[i].from);
      const bool last = std::none_of(steps.begin() + static_cast<std::ptrdiff_t>(i) + 1, steps.end(),
                                     [&](const StrandStep& s) { return s.from == steps[i].from; });
      next.push_back(last ? std::move(strands_[from]) : copy(*strands_[from]));
      if (steps[i].back > 0) take_back(host, *next.back(), static_cast<std::size_t>(steps[i].back));
      if (finished()) return;
      next.back()->queue += steps[i].bytes;
      next.back()->logprob = 0;
      next.back()->kept = 1;
    }
    for (auto& strand : strands_) {
      if (!strand) continue;
      live_.release(host, strand->ids);
      for (const StrandPoint& point : strand->trail) live_.release(host, point.ids);
    }
    strands_ = std::move(next);
    counting_ = true;
    if (letter_->path) look_ahead(host, *strands_.front());
  }

  Status check_steps(const std::vector<StrandStep>& steps) const {
    if (steps.size() > static_cast<std::size_t>(job_.max_strands))
      return fail(ErrorKind::kInvalid, "more steps than the session has strands", "steps",
                  "open the session with more strands");
    if (letter_->path && steps.size() != 1)
      return fail(ErrorKind::kInvalid, "a path is of one step", "path");
    for (const StrandStep& s : steps) {
      if (s.from < 0 || static_cast<std::size_t>(s.from) >= strands_.size())
        return fail(ErrorKind::kInvalid, "a step goes on from a strand that the session does not have", "from",
                    "open the session with more strands");
      const auto written = strands_[static_cast<std::size_t>(s.from)]->written;
      if (s.back < 0 || s.back > job_.rewind || static_cast<std::size_t>(s.back) > written)
        return fail(ErrorKind::kInvalid, "a step takes more bytes back than it may", "back",
                    "open the session with more to rewind");
    }
    return {};
  }

  // Shares the states: their sequences are computed.
  std::unique_ptr<Strand> copy(const Strand& from) {
    auto strand = std::make_unique<Strand>(from);
    live_.hold(strand->ids);
    for (const StrandPoint& point : strand->trail) live_.hold(point.ids);
    return strand;
  }

  // Where the strand stands, before its next byte.
  void keep_point(RunHost& host, Strand& strand) {
    if (job_.rewind == 0 || !counting_) return;
    live_.hold(strand.ids);
    strand.trail.push_back({std::make_shared<const ByteCover>(*strand.cover), strand.ids});
    const std::size_t most = held_states() * strands_.size();
    while (strand.trail.size() > static_cast<std::size_t>(job_.rewind) ||
           (live_.size() > most && strand.trail.size() > 1)) {
      live_.release(host, strand.trail.front().ids);
      strand.trail.pop_front();
    }
  }

  void take_back(RunHost& host, Strand& strand, std::size_t bytes) {
    strand.text.resize(strand.text.size() - bytes);
    strand.past.resize(strand.past.size() - std::min(bytes, strand.past.size()));
    strand.written -= bytes;
    live_.release(host, strand.ids);
    strand.ids.clear();
    const bool kept = bytes <= strand.trail.size();
    for (std::size_t i = 0; i + 1 < bytes && !strand.trail.empty(); ++i) {
      live_.release(host, strand.trail.back().ids);
      strand.trail.pop_back();
    }
    if (!kept) return cover_again(host, strand, {});
    strand.cover = std::make_unique<ByteCover>(*strand.trail.back().cover);
    strand.ids = std::move(strand.trail.back().ids);
    strand.trail.pop_back();
  }

  // The text with the guess, cut as the tokenizer would: its tokens behind the state that is farthest along
  // this cut. One token alone can wait until a cover asks for it.
  void look_ahead(RunHost& host, Strand& strand) {
    const std::string whole = strand.text + strand.queue.substr(static_cast<std::size_t>(strand.healing));
    std::vector<TokenId> tokens = job_.prompt;
    for (const TokenId id : host.model_tokenizer().encode(whole)) tokens.push_back(id);
    tokens.resize(std::min(tokens.size(), static_cast<std::size_t>(most(host))));
    const Sequence* base = nullptr;
    for (const auto& [handle, id] : strand.ids) {
      const Sequence& s = *live_.at(id).sequence;
      const bool along = s.tokens.size() <= tokens.size() &&
                         std::equal(s.tokens.begin(), s.tokens.end(), tokens.begin());
      if (along && s.pending() == 0 && (base == nullptr || s.tokens.size() > base->tokens.size())) base = &s;
    }
    if (base == nullptr || tokens.size() < base->tokens.size() + 2) return;
    ahead_.emplace();
    ahead_->first = base->tokens.size();
    ahead_->masses.resize(tokens.size() - ahead_->first);
    const int rows = static_cast<int>(ahead_->masses.size());
    ahead_->sequence = &add_sequence(host, base->kv.fork(), std::move(tokens), rows);
    ahead_->id = ahead_->sequence->branch;
  }

  void drop_ahead(RunHost& host) {
    if (ahead_) host.drop_sequence(*ahead_->sequence);
    ahead_.reset();
  }

  // A letter that asks for its path gets the distribution behind each of its bytes.
  void note_path(Strand& strand) {
    if (!strand.owes_row || !strand.cover->ready() || strand.healing > 0) return;
    strand.owes_row = false;
    if (!letter_ || !letter_->path) return;
    const ByteCover::Distribution p = strand.cover->distribution();
    path_.insert(path_.end(), p.begin(), p.end());
  }

  void take_byte(RunHost& host, Strand& strand) {
    if (longest_ >= most(host)) {
      if (letter_ && letter_->path) return strand.queue.clear();
      return fail_with({ErrorKind::kInvalid,
                        "the text does not fit the session or the model's context",
                        {},
                        "shorten it"});
    }
    const bool again = strand.healing > 0;  // was counted before
    if (!again) keep_point(host, strand);
    const char byte = strand.queue.front();
    strand.queue.erase(strand.queue.begin());
    forks_.clear();
    const ByteCover::Step step = strand.cover->consume(static_cast<std::uint8_t>(byte), forks_);
    const double log_p = std::log(std::max(step.probability, kLeastProbability));
    if (counting_) strand.kept = std::min(strand.kept, 1 - step.pruned);
    if (again) {
      covered_again(host, strand, step.probability > 0, log_p);
    } else {
      strand.text.push_back(byte);
      strand.written += counting_ ? 1 : 0;
      strand.owes_row = true;
      const double least = strand.trusted > 0 ? 0 : kDoubtful * job_.cover.prune;
      strand.trusted = std::max(0, strand.trusted - 1);
      if (step.probability > least)
        count(strand, log_p);
      else
        cover_again(host, strand, Recount{log_p});
    }
    for (const ByteCover::Fork& fork : forks_) add_fork(host, strand, fork);
    for (const ByteCover::Handle handle : strand.cover->take_dropped()) {
      const auto at = strand.ids.find(handle);
      if (at == strand.ids.end()) continue;
      live_.release(host, at->second);
      strand.ids.erase(at);
    }
  }

  void count(Strand& strand, double log_p) const {
    strand.past.push_back(log_p);
    if (strand.past.size() > kPast) strand.past.pop_front();
    if (counting_) strand.logprob += log_p;
  }

  void add_fork(RunHost& host, Strand& strand, const ByteCover::Fork& fork) {
    const Sequence& parent = *live_.at(strand.ids.at(fork.parent)).sequence;
    std::vector<TokenId> tokens = parent.tokens;
    tokens.push_back(fork.token);
    TokenMasses* known = computed_ahead(tokens);
    if (known == nullptr) {
      add_state(host, strand, fork.child, parent.kv.fork(), std::move(tokens));
      return;
    }
    KvSequence kv = ahead_->sequence->kv.fork();
    kv.truncate(static_cast<int>(tokens.size()));
    add_state(host, strand, fork.child, std::move(kv), std::move(tokens));
    strand.cover->supply(fork.child, std::move(*known));
  }

  // The row behind `tokens`, where they are on the way that was computed ahead.
  TokenMasses* computed_ahead(const std::vector<TokenId>& tokens) {
    if (!ahead_) return nullptr;
    const std::vector<TokenId>& way = ahead_->sequence->tokens;
    if (tokens.size() <= ahead_->first || tokens.size() > way.size()) return nullptr;
    if (!std::equal(tokens.begin(), tokens.end(), way.begin())) return nullptr;
    return &ahead_->masses[tokens.size() - ahead_->first - 1];
  }

  // No cover is left that expects the last byte, or hardly: pruning took them, or the filter. The tokenizer's own
  // cut of the text's last word is covered again, with all that is beside it; that says how likely the byte was.
  void cover_again(RunHost& host, Strand& strand, std::optional<Recount> recount) {
    ++healed_;
    OwnCut cut = own_cut(host.model_tokenizer(), strand.text);
    strand.recount = recount;
    if (cut.word_bytes == 0) return give_up(host, strand);
    const std::size_t bytes = cut.word_bytes, known = std::min(bytes - 1, strand.past.size());
    if (recount)
      strand.recount->earlier =
          std::accumulate(strand.past.end() - static_cast<std::ptrdiff_t>(known), strand.past.end(), 0.0);
    restart(host, strand, cut.before);
    strand.cover->hold(std::move(cut.word));
    strand.healing = static_cast<int>(bytes);
    strand.queue.insert(0, strand.text, strand.text.size() - bytes);
  }

  void covered_again(RunHost& host, Strand& strand, bool possible, double log_p) {
    --strand.healing;
    if (!possible) return give_up(host, strand);
    if (strand.recount) strand.recount->again += log_p;
    if (strand.healing == 0) settle_byte(strand);
  }

  void settle_byte(Strand& strand) const {
    const std::optional<Recount> r = std::exchange(strand.recount, {});
    if (!r) return;
    const double found = std::max(r->live, std::min(0.0, r->again - r->earlier));
    if (found < r->live + std::log(2.0)) strand.trusted = kTrusted;
    count(strand, found);
  }

  // The model has no token for a byte: the text stands as it is.
  void give_up(RunHost& host, Strand& strand) {
    strand.queue.erase(0, static_cast<std::size_t>(std::exchange(strand.healing, 0)));
    restart(host, strand, host.model_tokenizer().encode(strand.text));
    if (strand.recount) count(strand, std::exchange(strand.recount, {})->live);
  }

  // The covers begin anew behind the text's tokens `own`.
  void restart(RunHost& host, Strand& strand, const std::vector<TokenId>& own) {
    std::vector<TokenId> tokens = job_.prompt;
    tokens.insert(tokens.end(), own.begin(), own.end());
    if (static_cast<int>(tokens.size()) > host.context())
      return fail_with({ErrorKind::kInvalid, "the text does not fit the model's context", {}, "shorten it"});
    forks_.clear();
    const auto handle = strand.cover->restart(own);
    KvSequence begun = live_.begun(host, tokens);
    add_state(host, strand, handle, std::move(begun), std::move(tokens));
  }

  void answer(RunHost& host) {
    NextBytesResult result;
    for (const auto& strand : strands_) {
      const ByteCover::Distribution p = strand->cover->distribution();
      result.distributions.insert(result.distributions.end(), p.begin(), p.end());
      result.logprobs_nats.push_back(strand->logprob);
      result.kept.push_back(strand->kept);
      result.states += static_cast<int>(strand->cover->states());
    }
    result.path = std::exchange(path_, {});
    result.full = longest_ >= most(host);
    drop_ahead(host);
    (usage().prefill_ms > 0 ? usage().decode_ms : usage().prefill_ms) +=
        std::chrono::duration<double, std::milli>(Steady::now() - seen_).count();
    count_usage(result);
    letter_->done(std::move(result));
    letter_.reset();
    counting_ = false;
  }

  void count_usage(NextBytesResult& result) {
    result.forwards = forwards_;
    result.passes = passes_;
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
  ByteStates live_;
  int next_id_ = 0;
  std::vector<ByteCover::Fork> forks_;
  std::optional<ByteMailbox::Letter> letter_;
  bool counting_ = false;  // the bytes of a letter, not of the prompt
  std::optional<Ahead> ahead_;
  std::vector<double> path_;  // of the letter that asks for it
  int open_ = 0;              // sequences with rows to come
  std::int64_t forwards_ = 0;
  std::int64_t passes_ = -1;  // the prompt's is none
  int healed_ = 0, longest_ = 0;
  Steady::time_point seen_;
};

}  // namespace

std::unique_ptr<Run> make_run(ByteSessionJob job, JobTicket ticket) {
  return std::make_unique<ByteSessionRun>(std::move(job), std::move(ticket));
}

}  // namespace consort
