#include "scheduler/decode/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace consort {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

Status out_of_range(const char* option, const char* allowed) {
  return fail(ErrorKind::kInvalid, std::string(option) + " is out of range", option, allowed);
}

// Keeps the k largest of `kept` by (logit descending, id ascending), ids ascending again afterwards.
void keep_top_k(std::span<const float> logits, std::size_t k, std::vector<std::uint32_t>& kept) {
  if (k >= kept.size()) return;
  const auto larger = [&](std::uint32_t a, std::uint32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  std::nth_element(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(k), kept.end(), larger);
  kept.resize(k);
  std::sort(kept.begin(), kept.end());
}

// Keeps the smallest set of largest weights whose share reaches p. Quickselect by halves: each round decides
// which half holds the border, so the whole costs a few passes, never a full sort.
void keep_top_p(std::span<const float> weights, double p, std::vector<std::uint32_t>& kept) {
  double total = 0;
  for (std::uint32_t id : kept) total += weights[id];
  const double wanted = p * total;
  const auto larger = [&](std::uint32_t a, std::uint32_t b) {
    return weights[a] != weights[b] ? weights[a] > weights[b] : a < b;
  };
  // Invariant: everything before `low` is kept and weighs `mass`; the border lies in [low, high].
  std::size_t low = 0, high = kept.size();
  double mass = 0;
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    const auto begin = kept.begin();
    std::nth_element(begin + static_cast<std::ptrdiff_t>(low), begin + static_cast<std::ptrdiff_t>(middle),
                     begin + static_cast<std::ptrdiff_t>(high), larger);
    double half = 0;
    for (std::size_t i = low; i < middle; ++i) half += weights[kept[i]];
    if (mass + half >= wanted) {
      high = middle;
    } else {
      mass += half;
      low = middle;
    }
  }
  kept.resize(high);  // the one at the border reaches p
  std::sort(kept.begin(), kept.end());
}

void keep_min_p(std::span<const float> weights, double min_p, std::vector<std::uint32_t>& kept) {
  float top = 0;
  for (std::uint32_t id : kept) top = std::max(top, weights[id]);
  const double least = min_p * static_cast<double>(top);
  std::erase_if(kept, [&](std::uint32_t id) { return static_cast<double>(weights[id]) < least; });
}

// Philox 4x32-10 (Salmon 2011): ten rounds over a counter with a key.
struct Philox {
  std::uint32_t c[4];
  std::uint32_t k[2];
  void round() {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * c[2];
    const std::uint32_t next[4] = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(b),
                                   static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(a)};
    std::copy(next, next + 4, c);
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
};

// Ids with a finite logit, ascending; their weights exp((logit - max) / temperature).
void weigh(std::span<const float> logits, float top, double temperature, SamplerScratch& s) {
  s.kept.clear();
  s.weights.resize(logits.size());
  const float scale = static_cast<float>(1.0 / temperature);
  for (std::uint32_t id = 0; id < logits.size(); ++id) {
    const float weight = std::exp((logits[id] - top) * scale);  // NaN and -infinity give NaN and 0
    s.weights[id] = weight;
    if (weight > 0) s.kept.push_back(id);
  }
}

}  // namespace

Status check_sampling(const SamplingOptions& o, int vocab_size) {
  if (!std::isfinite(o.temperature) || o.temperature < 0) return out_of_range("temperature", "use 0 (greedy) or more");
  if (o.top_k < 0) return out_of_range("top_k", "use 0 (off) or more");
  if (!(o.top_p > 0 && o.top_p <= 1)) return out_of_range("top_p", "use more than 0, at most 1");
  if (!(o.min_p >= 0 && o.min_p <= 1)) return out_of_range("min_p", "use 0 to 1");
  if (!std::isfinite(o.repetition_penalty) || o.repetition_penalty <= 0)
    return out_of_range("repetition_penalty", "use more than 0; 1 is off");
  if (!std::isfinite(o.presence_penalty)) return out_of_range("presence_penalty", "use a finite number");
  if (!std::isfinite(o.frequency_penalty)) return out_of_range("frequency_penalty", "use a finite number");
  for (const auto& [id, bias] : o.logit_bias)
    if (id < 0 || id >= vocab_size || !std::isfinite(bias))
      return out_of_range("logit_bias", "ids lie in the vocabulary, biases are finite");
  return {};
}

Sampler::Sampler(SamplingOptions options, int vocab_size) : options_(std::move(options)), vocab_size_(vocab_size) {}

Result<Sampler> Sampler::create(SamplingOptions options, int vocab_size) {
  CONSORT_CHECK_OK(check_sampling(options, vocab_size));
  return Sampler(std::move(options), vocab_size);
}

void Sampler::add_prompt(std::span<const TokenId> ids) {
  if (options_.repetition_penalty != 1.0) seen_.insert(ids.begin(), ids.end());
}

void Sampler::accept(TokenId id) {
  if (options_.repetition_penalty != 1.0) seen_.insert(id);
  if (options_.presence_penalty != 0 || options_.frequency_penalty != 0) ++output_count_[id];
}

bool Sampler::adjusts() const { return !options_.logit_bias.empty() || !seen_.empty() || !output_count_.empty(); }

void Sampler::adjust(std::span<float> logits) const {
  const auto known = [&](TokenId id) { return id >= 0 && static_cast<std::size_t>(id) < logits.size(); };
  for (const auto& [id, bias] : options_.logit_bias)
    if (known(id)) logits[id] += bias;
  const float repetition = static_cast<float>(options_.repetition_penalty);
  for (TokenId id : seen_)
    if (known(id)) logits[id] = logits[id] > 0 ? logits[id] / repetition : logits[id] * repetition;
  for (const auto& [id, count] : output_count_)
    if (known(id))
      logits[id] -= static_cast<float>(options_.presence_penalty + options_.frequency_penalty * count);
}

Result<TokenId> Sampler::sample(std::span<const float> logits, std::uint64_t position, SamplerScratch& s) const {
  logits = logits.first(std::min(logits.size(), static_cast<std::size_t>(vocab_size_)));
  if (adjusts()) {
    s.adjusted.assign(logits.begin(), logits.end());
    adjust(s.adjusted);
    logits = s.adjusted;
  }
  const TokenId best = argmax(logits);
  if (logits.empty() || !std::isfinite(logits[best]))
    return fail(ErrorKind::kRuntime, "the model gave no finite logit", "sampling", "the weights may be damaged");
  if (greedy()) return best;
  weigh(logits, logits[best], options_.temperature, s);
  if (options_.top_k > 0) keep_top_k(logits, static_cast<std::size_t>(options_.top_k), s.kept);
  if (options_.top_p < 1) keep_top_p(s.weights, options_.top_p, s.kept);
  if (options_.min_p > 0) keep_min_p(s.weights, options_.min_p, s.kept);
  double total = 0;
  for (std::uint32_t id : s.kept) total += s.weights[id];
  double left = counter_uniform(options_.seed, position) * total;
  for (std::uint32_t id : s.kept) {
    left -= s.weights[id];
    if (left < 0) return static_cast<TokenId>(id);
  }
  return static_cast<TokenId>(s.kept.back());
}

TokenId argmax(std::span<const float> logits) {
  std::size_t best = 0;
  float top = kMinusInfinity;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > top) {
      top = logits[i];
      best = i;
    }
  }
  return static_cast<TokenId>(best);
}

double log_sum_exp(std::span<const float> logits) {
  float top = kMinusInfinity;
  for (float l : logits) top = std::max(top, l);
  if (!std::isfinite(top)) return top;
  double sum = 0;
  for (float l : logits) sum += static_cast<double>(std::exp(l - top));
  return static_cast<double>(top) + std::log(sum);
}

double log_probability(std::span<const float> logits, TokenId id) {
  return static_cast<double>(logits[static_cast<std::size_t>(id)]) - log_sum_exp(logits);
}

double counter_uniform(std::uint64_t seed, std::uint64_t position, std::uint32_t stream) {
  Philox p{{static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32), stream, 0},
           {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  for (int i = 0; i < 10; ++i) p.round();
  const std::uint64_t bits = (std::uint64_t{p.c[0]} << 32 | p.c[1]) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

}  // namespace consort
