#include "scheduler/decode/byte_search.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "models/alphabet/byte_vocabulary.h"
#include "scheduler/decode/sampler.h"

namespace consort {
namespace {

constexpr double kLeast = -87.5;  // ln 1e-38: what a member says at least about a byte, as its sessions do

bool beyond(const DoubtBound& bound, const StepSignals& mean) {
  return (bound.entropy && mean.entropy > *bound.entropy) ||
         (bound.disagreement && mean.disagreement > *bound.disagreement) ||
         (bound.margin && mean.margin < *bound.margin) ||
         (bound.confidence && mean.confidence < *bound.confidence);
}

// Streams of random numbers beside that of next().
constexpr std::uint32_t kDraftStream = 1, kAcceptStream = 2, kInsteadStream = 3;

int likeliest(std::span<const double> p) {
  return static_cast<int>(std::max_element(p.begin(), p.end()) - p.begin());
}

// Inverse cumulative sum of weights that sum to `sum`.
int drawn(std::span<const double> weights, double uniform, double sum = 1) {
  double below = 0;
  int last = 0;
  for (int symbol = 0; symbol < kByteSymbols; ++symbol) {
    const double w = weights[static_cast<std::size_t>(symbol)];
    if (!(w > 0)) continue;
    below += w;
    last = symbol;
    if (uniform * sum < below) return symbol;
  }
  return last;  // rounding left a little above the sum
}

// The symbol for p, given one drawn from q.
int accepted_or_instead(std::span<const double> p, std::span<const double> q, int drafted, std::uint64_t seed,
                        std::uint64_t position) {
  const auto at = static_cast<std::size_t>(drafted);
  if (counter_uniform(seed, position, kAcceptStream) * q[at] < p[at]) return drafted;
  std::vector<double> more(p.size());
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += more[i] = std::max(0.0, p[i] - q[i]);
  if (!(sum > 0)) return p[at] > 0 ? drafted : likeliest(p);  // q is p but for rounding
  return drawn(more, counter_uniform(seed, position, kInsteadStream), sum);
}

std::span<const double> row(std::span<const double> rows, std::size_t strand) {
  return rows.empty() ? rows : rows.subspan(strand * kByteSymbols, kByteSymbols);
}

}  // namespace

Result<ByteSearch> ByteSearch::create(ByteSearchOptions options, std::size_t members) {
  CONSORT_CHECK_OK(check_stops(options.stop));
  if (options.max_bytes < 1) return fail(ErrorKind::kInvalid, "at least one byte is needed", "maxBytes");
  if (options.beams < 1 || options.beams > kMaxStrands)
    return fail(ErrorKind::kInvalid, "1 to " + std::to_string(kMaxStrands) + " beams are possible", "beams");
  if (options.beams > 1 && options.draw)
    return fail(ErrorKind::kInvalid, "a beam looks for the likeliest text and draws nothing", "beams",
                "ask for temperature 0");
  CONSORT_TRY(combiner, ByteCombiner::create(options.combiner, members));
  ByteText first{TextAssembler(options.stop), 0,  0, std::vector<double>(members, 0.0),
                 std::vector<int>(members, 0), std::move(combiner), {}, 0, {}, {}, {}};
  return ByteSearch(std::move(options), std::move(first));
}

ByteSearch::ByteSearch(ByteSearchOptions options, ByteText first) : options_(std::move(options)) {
  live_.push_back(std::move(first));
}

int ByteSearch::pick(std::span<const double> p, int position) const {
  if (!options_.draw) return likeliest(p);
  return drawn(p, counter_uniform(options_.seed, static_cast<std::uint64_t>(position)));
}

int ByteSearch::draft(std::span<const double> q, int ahead) const {
  const int position = live_.front().steps + ahead;
  if (!options_.draw || options_.same_draws) return pick(q, position);
  return drawn(q, counter_uniform(options_.seed, static_cast<std::uint64_t>(position), kDraftStream));
}

// What may come, best first: one symbol, or everything for a beam.
std::vector<ByteSearch::Choice> ByteSearch::choices(const std::vector<std::vector<double>>& combined) const {
  if (options_.beams == 1) {
    const std::vector<double>& p = combined.front();
    const int symbol = pick(p, live_.front().steps);
    return {{0, symbol, live_.front().logprob + std::log(p[static_cast<std::size_t>(symbol)])}};
  }
  std::vector<Choice> all;
  for (std::size_t s = 0; s < combined.size(); ++s)
    for (int symbol = 0; symbol < kByteSymbols; ++symbol)
      if (const double p = combined[s][static_cast<std::size_t>(symbol)]; p > 0)
        all.push_back({s, symbol, live_[s].logprob + std::log(p)});
  std::sort(all.begin(), all.end(), [](const Choice& a, const Choice& b) {
    return std::tuple(-a.score, a.from, a.symbol) < std::tuple(-b.score, b.from, b.symbol);
  });
  return all;
}

// Keeps the books of one symbol, then appends it.
void ByteSearch::take(ByteText& text, int symbol, std::span<const double> combined,
                      std::span<const std::span<const double>> members) const {
  const auto at = static_cast<std::size_t>(symbol);
  const std::vector<double> weights = text.combiner.weights();
  if (options_.trajectory) text.trajectory.emplace_back(weights.begin(), weights.end());
  text.sum += measure_step(combined, members, weights);
  ++text.steps;
  text.logprob += std::log(combined[at]);
  std::vector<double> said(members.size(), std::nan(""));
  for (std::size_t m = 0; m < members.size(); ++m) {
    if (members[m].empty()) continue;
    said[m] = std::log(members[m][at]);
    text.member_logprobs[m] += std::max(said[m], kLeast);
    const auto first = std::max_element(members[m].begin(), members[m].end());
    text.agreed[m] += first - members[m].begin() == symbol ? 1 : 0;
  }
  if (options_.combiner.rule == CombineRule::kBayes) (void)text.combiner.observe(said);
  if (symbol == kEndSymbol) {
    text.finish = "stop";
    return;
  }
  const char byte = static_cast<char>(symbol);
  ++text.bytes;
  if (text.text.add(symbol, std::string_view(&byte, 1))) text.finish = "stop";
  note(text);
}

void ByteSearch::note(ByteText& text) const {
  const bool wanted = std::find(options_.signals_at.begin(), options_.signals_at.end(), text.bytes) !=
                      options_.signals_at.end();
  if (wanted) text.readings.push_back({text.bytes, text.mean()});
  if (!text.finish.empty()) return;
  if (options_.doubt && text.bytes >= options_.doubt->after && beyond(*options_.doubt, text.mean()))
    text.finish = "doubt";
  else if (text.bytes >= options_.max_bytes)
    text.finish = "length";
}

void ByteSearch::finish(ByteText text) {
  if (!done_ || text.logprob > done_->logprob) done_ = std::move(text);
}

std::vector<StrandStep> ByteSearch::next(std::span<const std::span<const double>> distributions) {
  std::vector<std::vector<std::span<const double>>> rows(live_.size());
  std::vector<std::vector<double>> combined;
  for (std::size_t s = 0; s < live_.size(); ++s) {
    for (const auto& member : distributions) rows[s].push_back(row(member, s));
    combined.push_back(live_[s].combiner.combine(rows[s]));
  }
  std::vector<ByteText> next;
  std::vector<StrandStep> steps;
  for (const Choice& choice : choices(combined)) {
    if (next.size() == static_cast<std::size_t>(options_.beams)) break;
    // A text only gets less likely: behind what has ended nothing better can come.
    if (done_ && choice.score <= done_->logprob) break;
    ByteText text = options_.beams == 1 ? std::move(live_[choice.from]) : live_[choice.from];
    take(text, choice.symbol, combined[choice.from], rows[choice.from]);
    if (!text.finish.empty()) {
      finish(std::move(text));
      continue;
    }
    steps.push_back({static_cast<int>(choice.from), std::string(1, static_cast<char>(choice.symbol))});
    next.push_back(std::move(text));
  }
  if (next.empty() && !done_) {  // nobody gives anything to any symbol
    end_by_length();
    return {};
  }
  live_ = std::move(next);
  return steps;
}

int ByteSearch::verify(std::span<const std::span<const double>> distributions, int drafted,
                       std::span<const double> q) {
  ByteText& text = live_.front();
  const std::vector<double> p = text.combiner.combine(distributions);
  const bool by_ratio = options_.draw && !options_.same_draws;
  const int symbol =
      by_ratio ? accepted_or_instead(p, q, drafted, options_.seed, static_cast<std::uint64_t>(text.steps))
               : pick(p, text.steps);
  take(text, symbol, p, distributions);
  if (!text.finish.empty()) {
    finish(std::move(text));
    live_.clear();
  }
  return symbol;
}

void ByteSearch::drop_member(std::size_t m) {
  for (ByteText& text : live_) text.combiner.drop(m);
}

void ByteSearch::end_by_length() {
  for (ByteText& text : live_) {
    text.finish = "length";
    finish(std::move(text));
  }
  live_.clear();
}

ByteText& ByteSearch::best() {
  if (live_.empty()) return *done_;
  const auto at = std::max_element(live_.begin(), live_.end(), [](const ByteText& a, const ByteText& b) {
    return a.logprob < b.logprob;
  });
  return !done_ || at->logprob > done_->logprob ? *at : *done_;
}

}  // namespace consort
