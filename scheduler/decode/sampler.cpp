#include "scheduler/decode/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "scheduler/decode/logit_math.h"

namespace consort {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

Status out_of_range(const char* option, const char* allowed) {
  return fail(ErrorKind::kInvalid, std::string(option) + " is out of range", option, allowed);
}

// Larger logit first, ties to the lower id: the order of top-k and top-p.
struct Larger {
  std::span<const float> logits;
  bool operator()(std::uint32_t a, std::uint32_t b) const {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  }
};

// Keeps the k first of `kept` in that order; ids ascending again afterwards.
void keep_top_k(std::span<const float> logits, std::size_t k, std::vector<std::uint32_t>& kept) {
  if (k >= kept.size()) return;
  std::nth_element(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(k), kept.end(), Larger{logits});
  kept.resize(k);
  std::sort(kept.begin(), kept.end());
}

// How many of ids[0, count) belong to the smallest set of first ones whose weights reach `wanted`.
// Quickselect by halves: each round decides which half holds the border, so the whole costs a few passes,
// never a full sort. Reorders ids: the chosen ones come first.
std::size_t border(const SamplerScratch& s, std::span<const float> logits, double wanted,
                   std::span<std::uint32_t> ids) {
  std::size_t low = 0, high = ids.size();  // what lies before `low` is kept and weighs `mass`
  double mass = 0;
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    const auto begin = ids.begin();
    std::nth_element(begin + static_cast<std::ptrdiff_t>(low), begin + static_cast<std::ptrdiff_t>(middle),
                     begin + static_cast<std::ptrdiff_t>(high), Larger{logits});
    double half = 0;
    for (std::size_t i = low; i < middle; ++i) half += s.weights[ids[i]];
    if (mass + half >= wanted) {
      high = middle;
    } else {
      mass += half;
      low = middle;
    }
  }
  return high;  // the one at the border reaches the mass
}

// Flat distributions keep a large part of the vocabulary. Weights are counted into buckets by the upper bits
// of their float (ordered like the weights); only the bucket at the border is looked into.
void keep_top_p_of_many(SamplerScratch& s, std::span<const float> logits, double wanted) {
  constexpr unsigned kShift = 16;
  std::vector<double> mass((std::bit_cast<std::uint32_t>(1.0f) >> kShift) + 1, 0.0);
  const auto bucket = [&](std::uint32_t id) { return std::bit_cast<std::uint32_t>(s.weights[id]) >> kShift; };
  for (const std::uint32_t id : s.kept) mass[bucket(id)] += s.weights[id];
  double above = 0;
  std::size_t edge = mass.size() - 1;
  while (edge > 0 && above + mass[edge] < wanted) above += mass[edge--];
  std::vector<std::uint32_t> inside;
  std::erase_if(s.kept, [&](std::uint32_t id) {
    if (bucket(id) == edge) inside.push_back(id);
    return bucket(id) <= edge;
  });
  inside.resize(border(s, logits, wanted - above, inside));
  const auto middle = static_cast<std::ptrdiff_t>(s.kept.size());
  std::sort(inside.begin(), inside.end());
  s.kept.insert(s.kept.end(), inside.begin(), inside.end());
  std::inplace_merge(s.kept.begin(), s.kept.begin() + middle, s.kept.end());
}

void keep_top_p(SamplerScratch& s, std::span<const float> logits, double wanted) {
  constexpr std::size_t kMany = 4096;
  if (s.kept.size() > kMany) return keep_top_p_of_many(s, logits, wanted);
  s.kept.resize(border(s, logits, wanted, s.kept));
  std::sort(s.kept.begin(), s.kept.end());
}

double collect(SamplerScratch& s, float least) {
  s.kept.clear();
  return gather_at_least(s.weights, least, s.kept);
}

// Applies top-k, top-p and min-p. Candidates are gathered from a threshold downwards until they must hold the
// answer: in text a few hundred of the 262,144 weigh more than 1/256 of the best one.
void keep(const SamplingOptions& o, std::span<const float> logits, double total, SamplerScratch& s) {
  constexpr float kFirst = 0x1p-8f, kStep = 0x1p-10f, kLeast = std::numeric_limits<float>::min();
  const auto k = static_cast<std::size_t>(o.top_k);
  float least = o.top_k > 0 || o.top_p < 1 ? kFirst : std::max(static_cast<float>(o.min_p), kLeast);
  double mass = collect(s, least);
  const auto enough = [&] { return k > 0 ? s.kept.size() >= k : o.top_p == 1 || mass >= o.top_p * total; };
  while (!enough() && least > kLeast) mass = collect(s, least = std::max(least * kStep, kLeast));
  if (k > 0) {
    keep_top_k(logits, k, s.kept);
    total = 0;
    for (const std::uint32_t id : s.kept) total += s.weights[id];
  }
  if (o.top_p < 1) keep_top_p(s, logits, o.top_p * total);
  if (o.min_p > 0)  // the largest weight is 1
    std::erase_if(s.kept, [&](std::uint32_t id) { return static_cast<double>(s.weights[id]) < o.min_p; });
}

// Inverse cumulative sum over s.kept.
TokenId draw_of_kept(const SamplerScratch& s, double uniform) {
  double total = 0;
  for (const std::uint32_t id : s.kept) total += s.weights[id];
  double left = uniform * total;
  for (const std::uint32_t id : s.kept)
    if ((left -= s.weights[id]) < 0) return static_cast<TokenId>(id);
  return static_cast<TokenId>(s.kept.back());
}

// The same over the whole row, block by block.
TokenId draw_of_all(const SamplerScratch& s, double total, double uniform) {
  double left = uniform * total;
  std::size_t last = 0;
  for (std::size_t block = 0; block < s.blocks.size(); ++block) {
    if (s.blocks[block] == 0) continue;
    const std::size_t begin = block * kWeightBlock, end = std::min(begin + kWeightBlock, s.weights.size());
    if (left >= s.blocks[block]) {
      left -= s.blocks[block];
      last = begin;
      continue;
    }
    for (std::size_t i = begin; i < end; ++i) {
      if (s.weights[i] == 0) continue;
      last = i;
      if ((left -= s.weights[i]) < 0) return static_cast<TokenId>(i);
    }
  }
  // Rounding used the whole sum up: the last weight that counts.
  for (std::size_t i = last; i < std::min(last + kWeightBlock, s.weights.size()); ++i)
    if (s.weights[i] > 0) last = i;
  return static_cast<TokenId>(last);
}

// Philox 4x32-10 (Salmon 2011): ten rounds over a counter with a key.
struct Philox {
  std::uint32_t c[4];
  std::uint32_t k[2];
  void round() {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * c[2];
    const std::uint32_t next[4] = {
        static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(a)};
    std::copy(next, next + 4, c);
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
};

}  // namespace

Status check_sampling(const SamplingOptions& o, int vocab_size) {
  if (!std::isfinite(o.temperature) || o.temperature < 0)
    return out_of_range("temperature", "use 0 (greedy) or more");
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

Sampler::Sampler(SamplingOptions options, int vocab_size)
    : options_(std::move(options)), vocab_size_(vocab_size) {}

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

int Sampler::largest_needed() const {
  constexpr int kMost = 64;  // beyond, a model would spare little
  const SamplingOptions& o = options_;
  if (!o.logit_bias.empty() || o.repetition_penalty != 1.0 || o.presence_penalty != 0 ||
      o.frequency_penalty != 0)
    return 0;
  return greedy() ? 1 : o.top_k <= kMost ? o.top_k : 0;
}

bool Sampler::adjusts() const {
  return !options_.logit_bias.empty() || !seen_.empty() || !output_count_.empty();
}

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

Result<TokenId> Sampler::sample(std::span<const float> logits, std::uint64_t position,
                                SamplerScratch& s) const {
  logits = logits.first(std::min(logits.size(), static_cast<std::size_t>(vocab_size_)));
  if (adjusts()) {
    s.adjusted.assign(logits.begin(), logits.end());
    adjust(s.adjusted);
    logits = s.adjusted;
  }
  const TokenId best = argmax(logits);
  if (logits.empty() || !std::isfinite(logits[best]))
    return fail(ErrorKind::kRuntime, "the model gave no finite logit", "sampling",
                "the weights may be damaged");
  if (greedy()) return best;
  // Colder than 1e-30 nothing but the largest logit can weigh anything, and 1 / temperature stays finite.
  const auto scale = static_cast<float>(1.0 / std::max(options_.temperature, 1e-30));
  s.weights.resize(logits.size());
  const double total =
      exponentials(logits, logits[static_cast<std::size_t>(best)], scale, s.weights, s.blocks);
  const double uniform = counter_uniform(options_.seed, position);
  if (options_.top_k == 0 && options_.top_p == 1 && options_.min_p == 0)
    return draw_of_all(s, total, uniform);
  keep(options_, logits, total, s);
  return draw_of_kept(s, uniform);
}

TokenId argmax(std::span<const float> logits) {
  const std::size_t found = index_of(logits, largest(logits));
  return found == logits.size() ? 0 : static_cast<TokenId>(found);
}

double log_sum_exp(std::span<const float> logits) {
  const float top = largest(logits);
  if (!std::isfinite(top)) return top;
  return static_cast<double>(top) + std::log(sum_of_exponentials(logits, top));
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
