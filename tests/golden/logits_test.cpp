// Logits, layers, greedy paths and likelihoods of the language models against references that were computed
// from the same weights in float64 arithmetic (README.md).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "kernels/softmax/softmax.h"
#include "tests/golden/rig.h"

namespace consort::golden {
namespace {

constexpr int kTop = 32;  // recorded candidates of a position
using Json = nlohmann::json;

class Golden : public testing::TestWithParam<std::string> {
 protected:
  Rig& rig() { return shared_rig(GetParam()); }
  std::shared_ptr<const WeightSource> recorded(const std::string& what) {
    auto source = open_weights(data_path(GetParam() + "." + what + ".safetensors"));
    EXPECT_TRUE(source) << source.error().line();
    return std::move(*source);
  }
};

// KL(reference || ours) over the 32 best candidates and one bucket for all the rest: a lower bound of the
// full divergence that misses only differences inside the rest.
double top_divergence(const float* ref_logits, const std::int32_t* ids, double ref_lse, const float* ours,
                      double our_lse) {
  double kl = 0, ref_mass = 0, our_mass = 0;
  for (int k = 0; k < kTop; ++k) {
    const double lp = ref_logits[k] - ref_lse, lq = ours[ids[k]] - our_lse;
    kl += std::exp(lp) * (lp - lq);
    ref_mass += std::exp(lp);
    our_mass += std::exp(lq);
  }
  const double ref_rest = 1 - ref_mass, our_rest = 1 - our_mass;
  if (ref_rest > 1e-9 && our_rest > 1e-12) kl += ref_rest * std::log(ref_rest / our_rest);
  return kl;
}

struct Agreement {
  double kl_sum = 0, kl_max = 0, top_difference = 0, lse_difference = 0;
  int positions = 0, same_top = 0;
};

void compare_prompt(Rig& rig, const WeightSource& ref, const std::string& prompt, Agreement& sum) {
  const auto ids = ints_of(ref, prompt + ".ids"), top_ids = ints_of(ref, prompt + ".topk_ids");
  const auto top_logits = floats_of(ref, prompt + ".topk_logits"), lse = floats_of(ref, prompt + ".lse");
  const std::size_t vocab = static_cast<std::size_t>(rig.model().info().vocab_size);
  const std::size_t step = 128;  // keeps the logits of Gemma's vocabulary small
  KvSequence sequence = rig.cache().new_sequence();
  std::vector<float> rows(step * vocab);
  for (std::size_t first = 0; first < ids.size(); first += step) {
    const std::size_t n = std::min(step, ids.size() - first);
    ASSERT_TRUE(sequence.reserve(static_cast<int>(n)));
    const SequenceSlice slice{
        {ids.data() + first, n}, static_cast<int>(first), sequence.view(), LogitsWanted::kAll};
    StepOutput out{
        make_view(rows.data(), DType::kF32,
                  {std::ssize(rows) / static_cast<std::int64_t>(vocab), static_cast<std::int64_t>(vocab)})};
    ASSERT_TRUE(rig.model().forward(rig.exec(), {{&slice, 1}}, out));
    sequence.advance(static_cast<int>(n));
    for (std::size_t i = 0; i < n; ++i) {
      const float* ours = rows.data() + i * vocab;
      const std::size_t at = first + i;
      const double our_lse = log_sum_exp(rig.exec(), {ours, vocab});
      const double kl = top_divergence(&top_logits[at * kTop], &top_ids[at * kTop], lse[at], ours, our_lse);
      sum.kl_sum += kl;
      sum.kl_max = std::max(sum.kl_max, kl);
      sum.lse_difference = std::max(sum.lse_difference, std::abs(our_lse - lse[at]));
      for (int k = 0; k < kTop; ++k)
        sum.top_difference =
            std::max(sum.top_difference,
                     static_cast<double>(std::abs(ours[top_ids[at * kTop + k]] - top_logits[at * kTop + k])));
      sum.same_top += argmax(rig.exec(), {ours, vocab}) == top_ids[at * kTop];
      ++sum.positions;
    }
  }
}

TEST_P(Golden, LogitsAreNearTheReference) {
  const auto ref = recorded("logits");
  Agreement sum;
  for (int p = 0; p < 8; ++p) compare_prompt(rig(), *ref, "p" + std::to_string(p), sum);
  ASSERT_GT(sum.positions, 1000);
  const double kl = sum.kl_sum / sum.positions, top = static_cast<double>(sum.same_top) / sum.positions;
  std::printf(
      "%s: %d positions, KL mean %.3g max %.3g, top-32 logits off by at most %.3g, log-sum-exp %.3g, top-1 "
      "%.4f\n",
      GetParam().c_str(), sum.positions, kl, sum.kl_max, sum.top_difference, sum.lse_difference, top);
  EXPECT_LE(kl, 5e-5);  // measured 1e-6; the f16 cache alone gives 1e-6
  EXPECT_LE(sum.kl_max, 2e-3);
  EXPECT_LE(sum.top_difference, 0.3);
  EXPECT_GE(top, 0.995);
}

// What an activation of fewer bits costs: the figures of tests/perf/compare_activations.
TEST_P(Golden, ActivationsAreAsExactAsTheySay) {
  const auto ref = recorded("logits");
  const struct {
    ActivationFormat format;
    double most;  // mean KL
  } kinds[] = {{ActivationFormat::kFloat32, 5e-5},
               {ActivationFormat::kInt16, 5e-5},
               {ActivationFormat::kBf16, 2e-3},
               {ActivationFormat::kInt8, 2e-2}};
  for (const auto& kind : kinds) {
    Rig rig(GetParam(), 2, Precision::kFile, kind.format);
    Agreement sum;
    for (int p = 0; p < (full_run() ? 8 : 2); ++p) compare_prompt(rig, *ref, "p" + std::to_string(p), sum);
    const double kl = sum.kl_sum / sum.positions;
    std::printf("activations %s %s: %d positions, KL mean %.3g max %.3g, top-1 %.4f\n", GetParam().c_str(),
                std::string(activation_name(kind.format)).c_str(), sum.positions, kl, sum.kl_max,
                static_cast<double>(sum.same_top) / sum.positions);
    EXPECT_LE(kl, kind.most);
  }
}

TEST_P(Golden, LastLogitsOfTheWholeVocabularyAreNear) {
  const auto ref = recorded("logits");
  const bool strided = ref->find("p0.last_logits") == nullptr;  // Gemma: every 16th id
  const std::string prompt = strided ? "p1" : "p0";
  const auto expected = floats_of(*ref, prompt + (strided ? ".last_logits_strided" : ".last_logits"));
  const auto ids = ints_of(*ref, prompt + ".ids");
  KvSequence sequence = rig().cache().new_sequence();
  const auto ours = rig().extend(sequence, ids);
  const std::size_t stride = ours.size() / expected.size();
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    worst = std::max(worst, static_cast<double>(std::abs(ours[i * stride] - expected[i])));
  std::printf("%s: last logits off by at most %.3g over %zu ids\n", GetParam().c_str(), worst,
              expected.size());
  EXPECT_LE(worst, 0.1);
}

TEST_P(Golden, ResidualStreamFollowsTheReferenceLayerByLayer) {
  const auto ref = recorded("layers");
  const auto ids = ints_of(*ref, "ids");
  const auto expected = floats_of(*ref, "residual");
  const std::size_t each = ids.size() * static_cast<std::size_t>(rig().model().info().width);
  int layers = 0;
  double worst = 0;
  rig().model().set_layer_probe([&](int layer, TensorView residual) {
    ++layers;
    const float* want = expected.data() + static_cast<std::size_t>(layer) * each;
    double error = 0, norm = 0;
    for (std::size_t i = 0; i < each; ++i) {
      error += std::pow(residual.as<float>()[i] - want[i], 2);
      norm += std::pow(want[i], 2);
    }
    worst = std::max(worst, std::sqrt(error / norm));
    EXPECT_LE(std::sqrt(error / norm), 2e-3) << "layer " << layer;
  });
  KvSequence sequence = rig().cache().new_sequence();
  rig().extend(sequence, ids);
  rig().model().set_layer_probe(nullptr);
  EXPECT_EQ(layers, rig().model().info().layers + 1);
  std::printf("%s: residual stream off by at most %.3g (relative L2 of a layer)\n", GetParam().c_str(),
              worst);
}

TEST_P(Golden, GreedyPathsAreEqualUpToNearTies) {
  std::istringstream lines(read_text(data_path(GetParam() + ".greedy.jsonl")));
  std::string line;
  int paths = 0, whole = 0, tokens = 0;
  while (std::getline(lines, line)) {
    const Json record = Json::parse(line);
    const auto prompt = record["prompt_ids"].get<std::vector<std::int32_t>>();
    const auto ids = record["ids"].get<std::vector<std::int32_t>>();
    const auto gap = record["gap"].get<std::vector<double>>();
    KvSequence sequence = rig().cache().new_sequence();
    auto logits = rig().extend(sequence, prompt);
    ++paths;
    std::size_t i = 0;
    for (; i < ids.size(); ++i, ++tokens) {
      const std::int32_t next = argmax(rig().exec(), logits);
      if (next != ids[i]) {
        EXPECT_LT(gap[i], 0.1) << "path " << paths << " leaves the reference at token " << i;
        break;
      }
      logits = rig().extend(sequence, {&ids[i], 1});
    }
    whole += i == ids.size();
  }
  std::printf("%s: %d of %d greedy paths equal to the end, %d tokens compared\n", GetParam().c_str(), whole,
              paths, tokens);
  EXPECT_EQ(paths, 10);
  EXPECT_GE(whole, 8);
}

// Pieces of at most 1024 positions in fresh contexts, the convention that the recorded file states.
double text_nll(Rig& rig, const std::string& text, std::size_t& scored) {
  const auto ids = rig.tokenizer().encode(text);
  const bool bos = rig.tokenizer().adds_bos();
  const std::size_t piece = bos ? 1023 : 1024,
                    vocab = static_cast<std::size_t>(rig.model().info().vocab_size);
  double nll = 0;
  for (std::size_t first = 0; first < ids.size(); first += piece) {
    std::vector<std::int32_t> context;
    if (bos) context.push_back(*rig.tokenizer().bos());
    context.insert(context.end(), ids.begin() + static_cast<std::ptrdiff_t>(first),
                   ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), first + piece)));
    KvSequence sequence = rig.cache().new_sequence();
    std::vector<float> rows(64 * vocab);
    for (std::size_t at = 0; at < context.size(); at += 64) {
      const std::size_t n = std::min<std::size_t>(64, context.size() - at);
      EXPECT_TRUE(sequence.reserve(static_cast<int>(n)));
      const SequenceSlice slice{
          {context.data() + at, n}, static_cast<int>(at), sequence.view(), LogitsWanted::kAll};
      StepOutput out{make_view(rows.data(), DType::kF32, {64, static_cast<std::int64_t>(vocab)})};
      EXPECT_TRUE(rig.model().forward(rig.exec(), {{&slice, 1}}, out));
      sequence.advance(static_cast<int>(n));
      for (std::size_t i = 0; i < n && at + i + 1 < context.size(); ++i, ++scored) {
        const std::span<const float> row(rows.data() + i * vocab, vocab);
        nll += log_sum_exp(rig.exec(), row) - row[static_cast<std::size_t>(context[at + i + 1])];
      }
    }
  }
  return nll;
}

TEST_P(Golden, LikelihoodOfTextsMatches) {
  const Json record = Json::parse(read_text(data_path(GetParam() + ".nll.json")));
  for (const auto& [name, text] : record["texts"].items()) {
    std::size_t scored = 0;
    const double nll = text_nll(rig(), read_text(data_path(text["file"].get<std::string>())), scored);
    const double expected = text["nll_nats"].get<double>();
    std::printf("%s %s: %.4f bits a byte (reference %.4f), relative difference %.2g\n", GetParam().c_str(),
                name.c_str(), nll / std::log(2.0) / text["scored_bytes"].get<double>(),
                text["bits_per_byte"].get<double>(), nll / expected - 1);
    EXPECT_EQ(scored, text["scored_tokens"].get<std::size_t>());
    EXPECT_NEAR(nll / expected, 1.0, 1e-3);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Golden, testing::Values("smollm2-135m-instruct", "gemma-3-270m"),
                         [](const auto& info) { return info.param[0] == 's' ? "SmolLM2" : "Gemma3"; });

}  // namespace
}  // namespace consort::golden
