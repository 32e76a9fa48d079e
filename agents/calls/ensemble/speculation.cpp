#include "agents/calls/ensemble/speculation.h"

#include <algorithm>
#include <string>
#include <utility>

#include "models/alphabet/byte_vocabulary.h"

namespace consort::ensemble_call {
namespace {

NextBytesRequest step(int back, std::string bytes, bool path) {
  NextBytesRequest out;
  out.steps.push_back({0, std::move(bytes), back});
  out.path = path;
  return out;
}

class Speculation {
 public:
  Speculation(ByteSeats& seats, ByteSearch& search, SpeculationOptions options, std::size_t drafter,
              int max_bytes, SpeculationCounts& counts)
      : seats_(seats),
        search_(search),
        options_(std::move(options)),
        drafter_(drafter),
        max_bytes_(max_bytes),
        counts_(counts),
        at_text_(seats.size()) {}

  // One round; the search may be finished behind it.
  boost::asio::awaitable<Status> round();

 private:
  using Rows = std::vector<std::span<const double>>;
  boost::asio::awaitable<Status> draft();
  boost::asio::awaitable<Status> ask_drafter(std::string bytes);
  boost::asio::awaitable<Status> show_to_others();
  void verify();
  std::optional<Rows> rows(std::size_t behind) const;

  ByteSeats& seats_;
  ByteSearch& search_;
  const SpeculationOptions options_;
  std::size_t drafter_;
  const int max_bytes_;
  SpeculationCounts& counts_;

  std::string carry_;  // final, but the members have not seen it
  int back_ = 0;       // bytes that they have seen behind the text: taken back before the carried ones
  // This round's: what is drafted (the last symbol may be the end), its bytes, and the drafter's rows before each
  // symbol and behind the last.
  std::vector<int> symbols_;
  std::string bytes_;
  std::vector<std::vector<double>> drafter_rows_;
  // [members]: rows behind the text and behind each drafted byte, of those who are no drafter.
  std::vector<std::vector<double>> at_text_;
};

boost::asio::awaitable<Status> Speculation::ask_drafter(std::string bytes) {
  std::vector<std::optional<NextBytesRequest>> requests(seats_.size());
  requests[drafter_] = step(symbols_.empty() ? back_ : 0, std::move(bytes), false);
  auto asking = seats_.ask(std::move(requests));
  co_return co_await std::move(asking);
}

// The carried bytes first. Whether to go on is decided before a symbol is drawn: from what stands before it.
boost::asio::awaitable<Status> Speculation::draft() {
  symbols_.clear();
  bytes_.clear();
  drafter_rows_.clear();
  const int most = std::min(options_.bytes, max_bytes_ - search_.best().bytes);
  std::string next = carry_;
  while (true) {
    if (!next.empty()) {
      auto asking = ask_drafter(std::exchange(next, {}));
      if (auto asked = co_await std::move(asking); !asked) co_return forward_error(asked);
      if (seats_[drafter_].error) co_return Status{};
    }
    drafter_rows_.push_back(seats_[drafter_].last.distributions);
    const std::vector<double>& q = drafter_rows_.back();
    if (static_cast<int>(symbols_.size()) >= most || seats_[drafter_].last.full) co_return Status{};
    if (*std::max_element(q.begin(), q.end()) < options_.least) co_return Status{};
    symbols_.push_back(search_.draft(q, static_cast<int>(symbols_.size())));
    if (symbols_.back() == kEndSymbol) co_return Status{};
    next.assign(1, static_cast<char>(symbols_.back()));
    bytes_ += next;
  }
}

boost::asio::awaitable<Status> Speculation::show_to_others() {
  const std::string shown = carry_ + bytes_;
  std::vector<std::optional<NextBytesRequest>> requests(seats_.size());
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (m == drafter_ || seats_[m].error) continue;
    // Behind a carried byte the path begins with the row at the text; otherwise that one is the last answer's.
    if (carry_.empty()) at_text_[m] = seats_[m].last.distributions;
    if (!shown.empty()) requests[m] = step(back_, shown, true);
  }
  auto asking = seats_.ask(std::move(requests));
  if (auto asked = co_await std::move(asking); !asked) co_return forward_error(asked);
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (m == drafter_ || seats_[m].error || shown.empty()) continue;
    const std::vector<double>& path = seats_[m].last.path;
    const std::size_t skipped = carry_.empty() ? 0 : (carry_.size() - 1) * kByteSymbols;
    if (!carry_.empty()) at_text_[m].clear();
    if (path.size() > skipped)
      at_text_[m].insert(at_text_[m].end(), path.begin() + static_cast<std::ptrdiff_t>(skipped), path.end());
  }
  co_return Status{};
}

// Every member's row behind the text and `behind` drafted bytes; none where a context had no room for it.
std::optional<Speculation::Rows> Speculation::rows(std::size_t behind) const {
  Rows out(seats_.size());
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (seats_[m].error) continue;
    if (m == drafter_) {
      if (behind >= drafter_rows_.size()) return std::nullopt;
      out[m] = drafter_rows_[behind];
      continue;
    }
    if (at_text_[m].size() < (behind + 1) * kByteSymbols) return std::nullopt;
    out[m] = std::span(at_text_[m]).subspan(behind * kByteSymbols, kByteSymbols);
  }
  return out;
}

void Speculation::verify() {
  counts_.rounds += symbols_.empty() ? 0 : 1;
  counts_.drafted += static_cast<int>(symbols_.size());
  for (std::size_t k = 0; k < symbols_.size(); ++k) {
    const auto now = rows(k);
    if (!now) return search_.end_by_length();
    const int symbol = search_.verify(*now, symbols_[k], drafter_rows_[k]);
    counts_.kept += symbol == symbols_[k] ? 1 : 0;
    if (search_.finished()) return;
    if (symbol == symbols_[k]) continue;
    carry_.assign(1, static_cast<char>(symbol));
    back_ = static_cast<int>(bytes_.size() - k);
    return;
  }
  const auto now = rows(symbols_.size());
  if (!now) return search_.end_by_length();
  const std::vector<StrandStep> steps = search_.next(*now);
  if (search_.finished()) return;
  carry_ = steps.front().bytes;
  back_ = 0;
}

// A drafter that fails leaves the round: the others have not moved, and the first of them drafts from now on.
boost::asio::awaitable<Status> Speculation::round() {
  seats_.drop_missing(search_);
  for (std::size_t m = 0; seats_[drafter_].error && m < seats_.size(); ++m) drafter_ = m;
  auto drafting = draft();
  if (auto drafted = co_await std::move(drafting); !drafted) co_return forward_error(drafted);
  if (seats_[drafter_].error) co_return Status{};
  auto showing = show_to_others();
  if (auto shown = co_await std::move(showing); !shown) co_return forward_error(shown);
  seats_.drop_missing(search_);
  verify();
  if (seats_.full() && !search_.finished()) search_.end_by_length();
  co_return Status{};
}

}  // namespace

boost::asio::awaitable<Status> write_ahead(ByteSeats& seats, ByteSearch& search, SpeculationOptions options,
                                           std::size_t drafter, int max_bytes, SpeculationCounts& counts,
                                           std::function<void()> progress) {
  Speculation speculation(seats, search, std::move(options), drafter, max_bytes, counts);
  while (!search.finished()) {
    auto round = speculation.round();
    if (auto done = co_await std::move(round); !done) co_return forward_error(done);
    progress();
  }
  co_return Status{};
}

}  // namespace consort::ensemble_call
