#include "scheduler/decode/next_strings.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace consort {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

float value_of(std::span<const float> logits, TokenId id) {
  const auto at = static_cast<std::size_t>(id);
  return at < logits.size() && !std::isnan(logits[at]) ? logits[at] : kMinusInfinity;
}

struct Candidate {
  float value = 0;
  std::uint32_t place = 0;  // in the vocabulary's order: by bytes
};
bool better(const Candidate& a, const Candidate& b) {
  return a.value != b.value ? a.value > b.value : a.place < b.place;
}

// The `count` best places with a finite logit, best first.
std::vector<Candidate> best_places(std::span<const float> logits, const ByteVocabulary& vocabulary,
                                   std::size_t count) {
  std::vector<Candidate> heap;  // its front is the worst that is kept
  const std::span<const TokenId> order = vocabulary.order();
  for (std::uint32_t place = 0; place < order.size(); ++place) {
    const Candidate now{value_of(logits, order[place]), place};
    if (now.value == kMinusInfinity) continue;
    if (heap.size() == count) {
      if (!better(now, heap.front())) continue;
      std::pop_heap(heap.begin(), heap.end(), better);
      heap.pop_back();
    }
    heap.push_back(now);
    std::push_heap(heap.begin(), heap.end(), better);
  }
  std::sort_heap(heap.begin(), heap.end(), better);
  return heap;
}

}  // namespace

double joint_logprob(std::span<const float> logits, double log_sum, std::span<const TokenId> ids) {
  float top = kMinusInfinity;
  for (const TokenId id : ids) top = std::max(top, value_of(logits, id));
  if (top == kMinusInfinity) return kMinusInfinity;
  double sum = 0;
  for (const TokenId id : ids)
    sum += std::exp(static_cast<double>(value_of(logits, id)) - static_cast<double>(top));
  return static_cast<double>(top) + std::log(sum) - log_sum;
}

std::vector<TokenId> tokens_of_string(const ByteVocabulary& vocabulary, std::string_view bytes) {
  if (bytes.empty()) return {vocabulary.ends().begin(), vocabulary.ends().end()};
  TrieNode node = vocabulary.root();
  for (const char byte : bytes) node = vocabulary.child(node, static_cast<std::uint8_t>(byte));
  std::vector<TokenId> ids;
  for (std::uint32_t place = node.begin; place < vocabulary.complete(node); ++place)
    ids.push_back(vocabulary.token(place));
  return ids;
}

std::vector<NextString> likeliest_strings(std::span<const float> logits, double log_sum,
                                          const ByteVocabulary& vocabulary, int top) {
  const auto wanted = static_cast<std::size_t>(std::max(top, 0));
  std::vector<NextString> out;
  // Tokens of equal bytes are rare: twice as many places nearly always hold enough different strings.
  for (std::size_t count = 2 * wanted; out.size() < wanted; count *= 2) {
    out.clear();
    const std::vector<Candidate> places = best_places(logits, vocabulary, count);
    for (const Candidate& candidate : places) {
      if (out.size() == wanted) break;
      const std::string_view bytes = vocabulary.bytes(candidate.place);
      const bool known =
          std::any_of(out.begin(), out.end(), [&](const NextString& s) { return s.bytes == bytes; });
      if (known) continue;
      out.push_back(
          {std::string(bytes), joint_logprob(logits, log_sum, tokens_of_string(vocabulary, bytes))});
    }
    if (places.size() < count) break;  // these are all
  }
  const double end = joint_logprob(logits, log_sum, vocabulary.ends());
  if (wanted > 0 && end > -std::numeric_limits<double>::infinity()) out.push_back({"", end});
  std::sort(out.begin(), out.end(), [](const NextString& a, const NextString& b) {
    return a.logprob_nats != b.logprob_nats ? a.logprob_nats > b.logprob_nats : a.bytes < b.bytes;
  });
  if (out.size() > wanted) out.resize(wanted);
  return out;
}

}  // namespace consort
