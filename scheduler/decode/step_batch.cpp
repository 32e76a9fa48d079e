// One step: choose each sequence's slice, run the model, read the rows, hand out the results.
#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "scheduler/decode/engine_core.h"

namespace consort {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::microseconds kLookAgain{500};

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

}  // namespace

void EngineCore::step(Exec& exec) {
  const auto start = Clock::now();
  take_arrivals();
  drop_cancelled_and_late();
  if (!outcomes_.empty()) close_step();  // do not let them wait for the batch
  admit();
  for (std::size_t i = 0; i < running_.size(); ++i)
    if (!running_[i]->finished()) running_[i]->poll(*this);
  plan();
  if (!slices_.empty()) {
    const auto forward_start = Clock::now();
    const Status done = forward(exec);
    const double forward_ms = milliseconds_since(forward_start);
    counts_.forward_ms += forward_ms;
    count_prefill(forward_ms);
    if (done) {
      ++counts_.steps;
      read_rows(exec);
      take_rows();
    } else {
      blame(done.error());
    }
  }
  sweep();
  // Sessions that sleep hold memory that somebody waits for: look again, but not all the time.
  if (slices_.empty() && !waiting_.empty() && outcomes_.empty()) std::this_thread::sleep_for(kLookAgain);
  if (running_.empty()) pool_.trim(logits_, 0);
  counts_.step_ms += milliseconds_since(start);
  close_step();
}

// Decode first; then prefill in order of urgency, as far as the budgets of tokens and rows go.
void EngineCore::plan() {
  slices_.clear();
  for (auto& s : sequences_)
    if (!s->dropped && s->decoding() && !s->run->finished()) add_slice(*s, 1, LogitsWanted::kLast, true);
  int budget = prefill_budget();
  int rows = options_.score_rows;
  for (auto& s : sequences_) {
    if (budget <= 0) break;
    if (!s->dropped && !s->decoding() && s->pending() > 0 && !s->run->finished())
      plan_slice(*s, budget, rows);
  }
}

// Tokens that keep the step short: for those who decode in it and for others who wait for the lane, and, a
// little longer, for whoever may come.
int EngineCore::prefill_budget() const {
  const bool busy = turn_ < kNoHurry || !slices_.empty();
  const TurnLength length = std::min<TurnLength>(busy ? options_.busy_step : options_.calm_step, turn_);
  const int most = busy ? options_.busy_prefill_chunk : options_.prefill_chunk;
  return prefill_cost_.tokens(length.count(), static_cast<int>(slices_.size()), most);
}

void EngineCore::count_prefill(double forward_ms) {
  int rows = 0;
  bool prefill = false;
  for (const Slice& slice : slices_) {
    rows += slice.tokens;
    prefill = prefill || !slice.decode;
  }
  if (prefill) prefill_cost_.measured(rows, forward_ms);
}

// A slice has one kind of rows: none, all (at most `rows`), or none but the last.
void EngineCore::plan_slice(Sequence& s, int& budget, int& rows) {
  const int start = s.computed();
  const int wanted_to = std::min(s.wanted_to, static_cast<int>(s.tokens.size()));
  int tokens = std::min(s.pending(), budget);
  int used_rows = 0;
  if (start >= s.wanted_from && start < wanted_to) {
    tokens = used_rows = std::min({tokens, wanted_to - start, rows});
  } else if (start < s.wanted_from && s.wanted_from < start + tokens && s.wanted_from < wanted_to) {
    const bool one = s.wanted_from + 1 == wanted_to && rows > 0;
    tokens = s.wanted_from - start + (one ? 1 : 0);
    used_rows = one ? 1 : 0;
  }
  if (tokens == 0) return;
  const LogitsWanted wanted = used_rows == 0        ? LogitsWanted::kNone
                              : used_rows == tokens ? LogitsWanted::kAll
                                                    : LogitsWanted::kLast;
  if (!add_slice(s, tokens, wanted, false)) return;
  budget -= tokens;
  rows -= used_rows;
}

bool EngineCore::add_slice(Sequence& s, int tokens, LogitsWanted wanted, bool decode) {
  if (Status room = s.kv.reserve(tokens); !room) {
    ++counts_.failed;
    s.run->fail_with(room.error());
    return false;
  }
  slices_.push_back({&s, s.computed(), tokens, wanted, decode});
  return true;
}

Status EngineCore::forward(Exec& exec) {
  // A run that failed while the batch was planned has no part in it.
  std::erase_if(slices_, [](const Slice& slice) { return slice.sequence->run->finished(); });
  model_slices_.clear();
  for (const Slice& slice : slices_) {
    const std::span<const TokenId> tokens(slice.sequence->tokens);
    model_slices_.push_back(
        {tokens.subspan(static_cast<std::size_t>(slice.start), static_cast<std::size_t>(slice.tokens)),
         slice.start, slice.sequence->kv.view(), slice.wanted, slice.sequence->run->largest_needed()});
  }
  if (model_slices_.empty()) return {};
  std::size_t unread = 0;
  try {
    const StepBatch batch{model_slices_};
    const std::int64_t rows = wanted_rows(batch);
    const std::int64_t vocab = model_->info().vocab_size;
    CONSORT_CHECK_OK(pool_.commit(
        logits_, static_cast<std::size_t>(std::max<std::int64_t>(rows, 1) * vocab) * sizeof(float)));
    StepOutput output{make_view(logits_.data(), DType::kF32, {rows, vocab})};
    CONSORT_CHECK_OK(model_->forward(exec, batch, output));
    unread = std::min(output.unread_bytes, model_->info().weight_bytes);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "no memory is left for the step's activations", model_->info().id,
                "raise the memory limit or use fewer sequences");
  } catch (const std::exception& e) {
    return fail(ErrorKind::kRuntime, fmt::format("the model's step failed: {}", e.what()), model_->info().id);
  }
  for (const Slice& slice : slices_) {
    charge(slice, unread);
    slice.sequence->kv.advance(slice.tokens);
  }
  counts_.slices += slices_.size();
  counts_.largest_batch = std::max(counts_.largest_batch, slices_.size());
  return {};
}

// A failed step costs the youngest run in it; the others try again without it.
void EngineCore::blame(Error error) {
  ++counts_.step_failures;
  const auto youngest = std::max_element(slices_.begin(), slices_.end(), [](const Slice& a, const Slice& b) {
    return a.sequence->run->order < b.sequence->run->order;
  });
  if (youngest == slices_.end()) return;
  ++counts_.failed;
  youngest->sequence->run->fail_with(std::move(error));
}

void EngineCore::charge(const Slice& slice, std::size_t unread_bytes) {
  const ModelInfo& info = model_->info();
  Usage& usage = slice.sequence->run->usage();
  const double n = slice.tokens;
  const double context = n * slice.start + n * (n - 1) / 2;  // sum over its tokens of the tokens before
  const double rows = slice.wanted == LogitsWanted::kAll ? n : slice.wanted == LogitsWanted::kLast ? 1 : 0;
  usage.flop += n * (info.flop_per_token - info.flop_per_logits_row) + rows * info.flop_per_logits_row +
                context * info.flop_per_token_context;
  usage.bytes += static_cast<double>(info.weight_bytes - unread_bytes) / static_cast<double>(slices_.size()) +
                 static_cast<double>(info.kv_bytes_per_token) * (slice.start + n);
  (slice.decode ? counts_.decoded_tokens : counts_.prefilled_tokens) +=
      static_cast<std::uint64_t>(slice.tokens);
}

// Sampling and scoring of all rows, spread over the compute threads; each row by itself.
void EngineCore::read_rows(Exec& exec) {
  rows_.clear();
  for (const Slice& slice : slices_) {
    if (slice.wanted == LogitsWanted::kNone) continue;
    const int first = slice.wanted == LogitsWanted::kAll ? 0 : slice.tokens - 1;
    for (int i = first; i < slice.tokens; ++i) rows_.push_back({slice.sequence, slice.start + i, {}});
  }
  if (rows_.empty()) return;
  scratch_.resize(static_cast<std::size_t>(exec.threads.size()));
  const auto vocab = static_cast<std::size_t>(model_->info().vocab_size);
  const auto* logits = reinterpret_cast<const float*>(logits_.data());
  exec.threads.parallel_for(rows_.size(), 1, [&](std::size_t begin, std::size_t end, int worker) {
    for (std::size_t i = begin; i < end; ++i) {
      Row& row = rows_[i];
      if (row.sequence->run->finished()) continue;
      try {
        row.sequence->run->read_row(*row.sequence, row.position, {logits + i * vocab, vocab},
                                    scratch_[static_cast<std::size_t>(worker)], row.result);
      } catch (const std::bad_alloc&) {
        row.result.status = fail(ErrorKind::kMemory, "no memory is left for sampling");
      }
    }
  });
}

void EngineCore::take_rows() {
  for (const Row& row : rows_) {
    Run& run = *row.sequence->run;
    if (run.finished()) continue;
    if (!row.result.status) {
      ++counts_.failed;
      run.fail_with(row.result.status.error());
      continue;
    }
    run.take_row(*this, *row.sequence, row.position, row.result);
  }
  std::size_t prefill = 0;
  for (const Slice& slice : slices_) {
    Sequence& s = *slice.sequence;
    if (!slice.decode) prefill += static_cast<std::size_t>(slice.tokens);
    if (s.dropped) continue;
    if (s.shareable && !s.remembered && s.computed() >= s.given) {
      remember(s, static_cast<std::size_t>(s.given));
      s.remembered = true;
    }
    if (!s.run->finished() && s.pending() == 0) s.run->computed(*this, s);
  }
  counts_.largest_prefill = std::max(counts_.largest_prefill, prefill);
}

}  // namespace consort
