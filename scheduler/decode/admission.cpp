// Which jobs run: order, capacity, sharing of prefixes, cancellation.
//
// Capacity: a run is admitted when the pages that it and all running ones may come to hold fit the KV budget,
// so that no running sequence is ever thrown out to make room.
#include <algorithm>
#include <chrono>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "scheduler/decode/engine_core.h"

namespace consort {
namespace {

constexpr std::uint64_t kPrefixKey =
    1;  // one cache a model; adapters and tenants will have keys of their own
// A job waits for a running one to compute more of their common prefix when it gains at least so many tokens.
constexpr int kWorthWaiting = 16;

auto urgency(const Run& r) {
  return std::tuple(r.ticket().work_class, r.ticket().deadline);
}

}  // namespace

void EngineCore::take_arrivals() {
  std::vector<std::unique_ptr<Run>> fresh;
  {
    std::lock_guard lock(mutex_);
    fresh.swap(arrivals_);
  }
  for (auto& run : fresh) {
    const auto place =
        std::upper_bound(waiting_.begin(), waiting_.end(), run,
                         [](const auto& a, const auto& b) { return urgency(*a) < urgency(*b); });
    waiting_.insert(place, std::move(run));
  }
}

void EngineCore::drop_cancelled_and_late() {
  const auto now = std::chrono::steady_clock::now();
  const auto check = [&](Run& run) {
    if (run.finished()) return;
    if (run.ticket().stop.stop_requested()) {
      ++counts_.cancelled;
      run.cancel();
    } else if (now > run.ticket().deadline) {
      ++counts_.timed_out;
      run.fail_with({ErrorKind::kTimeout,
                     "the deadline passed before the model was done",
                     {},
                     "allow more time or ask for fewer tokens"});
    }
  };
  for (auto& run : waiting_) check(*run);
  for (auto& run : running_) check(*run);
  sweep();
}

// Removes what has finished; its pages are free from here on.
void EngineCore::sweep() {
  for (auto& s : sequences_) {
    if (s->dropped || !s->run->finished()) continue;
    if (s->shareable) remember(*s, static_cast<std::size_t>(s->computed()));
    drop_sequence(*s);
  }
  std::erase_if(sequences_, [](const auto& s) { return s->dropped; });
  const auto gone = [this](const std::unique_ptr<Run>& run) {
    if (!run->finished()) return false;
    outcomes_.push_back(run->take_outcome());
    promised_pages_ -= run->promised_pages;
    ++counts_.finished;
    --open_jobs_;
    return true;
  };
  std::erase_if(running_, gone);
  std::erase_if(waiting_, gone);
}

// Pages to promise to `run`; branches are given up before the request is refused. 0: more than the budget.
std::size_t EngineCore::pages_for(Run& run) const {
  for (run.branches = options_.max_sequences; run.branches >= 1; run.branches /= 2)
    if (const std::size_t pages = run.pages_needed(context_); pages <= kv_->pages_capacity()) return pages;
  return 0;
}

void EngineCore::admit() {
  for (std::size_t i = 0; i < waiting_.size();) {
    Run& run = *waiting_[i];
    const std::size_t pages = pages_for(run);
    if (pages == 0) {
      ++counts_.failed;
      run.fail_with(
          {ErrorKind::kMemory,
           fmt::format("the request needs more than the {} KV pages of {} tokens of the memory budget",
                       kv_->pages_capacity(), kPageTokens),
           {},
           "ask for fewer tokens or raise the memory limit"});
      ++i;
      continue;
    }
    if (promised_pages_ + pages + ends_.pages() > kv_->pages_capacity()) ends_.clear();
    const bool room = static_cast<int>(sequences_.size()) < options_.max_sequences;
    if (!room || promised_pages_ + pages > kv_->pages_capacity()) return;  // nobody overtakes for being small
    Prefix prefix = find_prefix(run);
    if (prefix.wait) {
      ++i;
      continue;
    }
    auto taken = std::move(waiting_[i]);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    begin(std::move(taken), pages, std::move(prefix.kv));
  }
}

void EngineCore::begin(std::unique_ptr<Run> run, std::size_t pages, KvSequence prefix) {
  run->order = next_order_++;
  run->promised_pages = pages;
  promised_pages_ += pages;
  counts_.cached_tokens += static_cast<std::uint64_t>(prefix.length());
  run->admitted(prefix.length());
  Run& r = *run;
  running_.push_back(std::move(run));
  r.begin(*this, std::move(prefix));
}

// The longest computed prefix: from the tree in whole pages, or token by token from a running sequence or a
// kept end.
EngineCore::Prefix EngineCore::find_prefix(const Run& run) {
  const std::span<const TokenId> prompt = run.prompt();
  if (!run.shares() || prompt.size() < 2) return {kv_->new_sequence(), false};
  KvSequence best = kv_->match(kPrefixKey, prompt);
  const KvSequence* donor = nullptr;
  int length = best.length(), expected = 0;
  const int most = static_cast<int>(prompt.size()) - 1;  // the last token must be computed to have logits
  for (const auto& s : sequences_) {
    if (!s->shareable || s->dropped) continue;
    const int common = std::min(common_prefix(s->tokens, prompt), most);
    if (const int there = std::min(common, s->computed()); there > length) {
      length = there;
      donor = &s->kv;
    }
    expected = std::max(expected, std::min(common, s->given));
  }
  if (const KeptEnds::Shared end = ends_.longest_prefix(prompt); std::min(end.tokens, most) > length) {
    length = std::min(end.tokens, most);
    donor = end.kv;
  }
  if (expected >= length + kWorthWaiting) return {{}, true};
  if (donor == nullptr) return {std::move(best), false};
  KvSequence fork = donor->fork();
  fork.truncate(length);
  return {std::move(fork), false};
}

// The tree keeps the whole pages of what is computed, up to its share of the memory.
void EngineCore::remember(Sequence& s, std::size_t tokens) {
  if (tokens < static_cast<std::size_t>(kPageTokens)) return;
  kv_->insert(kPrefixKey, std::span<const TokenId>(s.tokens).first(tokens), s.kv);
  const std::size_t most = options_.prefix_max_bytes / kv_->layout().page_bytes();
  if (const std::size_t held = kv_->stats().pages_in_tree; held > most) kv_->evict(held - most);
}

Sequence& EngineCore::add_sequence(Run& run, KvSequence kv, std::vector<TokenId> tokens) {
  auto s = std::make_unique<Sequence>();
  s->run = &run;
  s->kv = std::move(kv);
  s->given = static_cast<int>(tokens.size());
  s->tokens = std::move(tokens);
  const auto place =
      std::upper_bound(sequences_.begin(), sequences_.end(), s, [](const auto& a, const auto& b) {
        return std::tuple_cat(urgency(*a->run), std::tuple(a->run->order)) <
               std::tuple_cat(urgency(*b->run), std::tuple(b->run->order));
      });
  return **sequences_.insert(place, std::move(s));
}

void EngineCore::drop_sequence(Sequence& s) {
  s.kv = KvSequence();
  s.dropped = true;
}

}  // namespace consort
