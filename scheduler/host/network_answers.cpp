#include "scheduler/host/network_answers.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

namespace consort {
namespace {

// The first `count` items.
void report(const Network& network, NetworkItems& items, std::size_t count, ItemReport& out) {
  for (std::size_t i = 0; i < count; ++i) {
    const Sample* sample = items.samples[i].get();
    out.tokens.push_back(sample != nullptr ? sample->tokens : 0);
    out.truncated.push_back(sample != nullptr && sample->truncated);
  }
  for (ItemError& error : items.errors)
    if (error.item < count) out.errors.push_back(std::move(error));
  out.model_digest = network.info().weights_digest;
  out.usage = items.usage;
}

TensorLease lease(std::string name, std::vector<float> values, std::int64_t rows, std::int64_t cols) {
  auto held = std::make_shared<std::vector<float>>(std::move(values));
  return {std::move(name), make_view(held->data(), DType::kF32, {rows, cols}), held};
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

double cosine(std::span<const float> a, std::span<const float> b) {
  const double lengths = std::sqrt(dot(a, a) * dot(b, b));
  return lengths > 0 ? dot(a, b) / lengths : 0;
}

// Probabilities of the labels, best first, ties to the earlier label.
std::vector<LabelScore> label_scores(const JointSpace& joint, std::span<const float> logits,
                                     const std::vector<std::string>& labels, int top) {
  const double best = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - best);
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  order.resize(std::min(order.size(), static_cast<std::size_t>(std::max(top, 0))));
  std::vector<LabelScore> out;
  for (const std::size_t i : order) {
    const double logit = logits[i];
    out.push_back({labels[i], joint.sigmoid ? 1 / (1 + std::exp(-logit)) : std::exp(logit - best) / sum});
  }
  return out;
}

}  // namespace

EmbedResult embed_answer(const Network& network, NetworkItems items, EmbeddingLevel level) {
  EmbedResult out;
  report(network, items, items.samples.size(), out);
  out.level = level;
  const std::int64_t rows = items.offsets.back();
  out.embeddings = lease("embeddings", std::move(items.embeddings), rows, network.info().dimension);
  out.offsets = std::move(items.offsets);
  return out;
}

ClassifyResult classify_answer(const Network& network, NetworkItems items, const ClassifyRequest& request) {
  ClassifyResult out;
  const auto classes = static_cast<std::size_t>(network.info().classes);
  out.decisions.resize(items.samples.size());
  for (std::size_t i = 0; i < items.samples.size(); ++i) {
    const Sample* sample = items.samples[i].get();
    if (sample == nullptr) continue;
    if (auto decided = network.decided(*sample))
      out.decisions[i] = std::move(*decided);
    else
      out.decisions[i] =
          network.decide(*sample, std::span(items.logits).subspan(i * classes, classes), request.top);
  }
  report(network, items, items.samples.size(), out);
  if (request.logits)
    out.logits = lease("logits", std::move(items.logits), std::ssize(items.samples), network.info().classes);
  return out;
}

Result<LabelRows> label_rows(const Network& network, const NetworkItems& items, std::size_t first) {
  for (const ItemError& error : items.errors)
    if (error.item >= first) return tl::unexpected<Error>(error.error);
  const auto from = static_cast<std::ptrdiff_t>(items.offsets[first] * network.info().dimension);
  return LabelRows(items.embeddings.begin() + from, items.embeddings.end());
}

ClassifyResult zero_shot_answer(const Network& network, NetworkItems items, const ClassifyRequest& request,
                                const LabelRows& label_rows) {
  const std::size_t count = request.inputs.size(), labels = request.labels.size();
  const auto width = static_cast<std::size_t>(network.info().dimension);
  const auto row = [&](std::size_t item) {
    return std::span<const float>(items.embeddings)
        .subspan(static_cast<std::size_t>(items.offsets[item]) * width, width);
  };
  const JointSpace& joint = *network.info().joint;
  ClassifyResult out;
  out.decisions.resize(count);
  std::vector<float> logits(count * labels);
  for (std::size_t i = 0; i < count; ++i) {
    if (items.samples[i] == nullptr) continue;
    const std::span<float> own = std::span(logits).subspan(i * labels, labels);
    for (std::size_t l = 0; l < labels; ++l)
      own[l] = static_cast<float>(
          joint.scale * cosine(row(i), std::span(label_rows).subspan(l * width, width)) + joint.bias);
    out.decisions[i].raw = label_scores(joint, own, request.labels, request.top);
    out.decisions[i].labels = out.decisions[i].raw;
  }
  report(network, items, count, out);
  if (request.logits)
    out.logits = lease("logits", std::move(logits), static_cast<std::int64_t>(count),
                       static_cast<std::int64_t>(labels));
  return out;
}

RerankResult rerank_answer(const Network& network, NetworkItems items) {
  RerankResult out;
  out.scores.assign(items.logits.begin(), items.logits.end());
  report(network, items, items.samples.size(), out);
  return out;
}

}  // namespace consort
