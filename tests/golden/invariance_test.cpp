// One arithmetic: a sequence's logits are the same bits however its prompt was cut, whoever shares the step,
// and with 1 or 2 threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "tests/golden/rig.h"

namespace consort::golden {
namespace {

class Invariance : public testing::TestWithParam<std::string> {
 protected:
  Rig& rig() { return shared_rig(GetParam()); }
  // A prompt long enough for several pages; for Gemma one that leaves the window of 512 behind.
  std::vector<std::int32_t> prompt() {
    auto ref = open_weights(data_path(GetParam() + ".logits.safetensors"));
    EXPECT_TRUE(ref);
    auto ids = ints_of(**ref, "p7.ids");
    ids.resize(GetParam()[0] == 'g' ? 600 : 170);
    return ids;
  }
};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Logits of the last token after the prompt was given in slices of `chunk`.
std::vector<float> last_logits(Rig& rig, std::span<const std::int32_t> ids, std::size_t chunk) {
  KvSequence sequence = rig.cache().new_sequence();
  std::vector<float> last;
  for (std::size_t first = 0; first < ids.size(); first += chunk)
    last = rig.extend(sequence, ids.subspan(first, std::min(chunk, ids.size() - first)));
  return last;
}

TEST_P(Invariance, SlicesOfThePromptDoNotMatter) {
  const auto ids = prompt();
  const auto whole = last_logits(rig(), ids, ids.size());
  for (const std::size_t chunk : {7u, 33u, 128u})
    EXPECT_TRUE(same_bits(whole, last_logits(rig(), ids, chunk))) << "slices of " << chunk;
  const std::span<const std::int32_t> head(ids.data(), 40);
  EXPECT_TRUE(same_bits(last_logits(rig(), head, 40), last_logits(rig(), head, 1))) << "token by token";
}

TEST_P(Invariance, EveryPositionHasTheBitsOfItsOwnDecodeStep) {
  const auto all = prompt();
  const std::span<const std::int32_t> ids(all.data(), 24);
  const auto prefill = rig().logits(ids), decode = rig().logits(ids, 1);
  EXPECT_TRUE(same_bits(prefill, decode));
}

// Steps that ask for the largest logits only: those are the bits of whole rows, the rest is -infinity or
// right, and on real text the sketch spares reading.
TEST_P(Invariance, TheLargestLogitsAreThoseOfWholeRows) {
  const auto all = prompt();
  const std::size_t vocab = static_cast<std::size_t>(rig().model().info().vocab_size);
  const std::span<const std::int32_t> ids(all.data(), 120);
  const auto whole = rig().logits(ids);
  for (const int count : {1, 40}) {
    KvSequence sequence = rig().cache().new_sequence();
    std::size_t spared = 0;
    for (std::size_t first = 0; first < ids.size();) {
      const std::size_t n = std::min<std::size_t>(first % 3 == 0 ? 1 : 8, ids.size() - first);
      ASSERT_TRUE(sequence.reserve(static_cast<int>(n)));
      const SequenceSlice slice{ids.subspan(first, n), static_cast<int>(first), sequence.view(),
                                LogitsWanted::kAll, count};
      std::vector<float> rows(n * vocab);
      StepOutput out{make_view(rows.data(), DType::kF32,
                               {static_cast<std::int64_t>(n), static_cast<std::int64_t>(vocab)})};
      ASSERT_TRUE(rig().model().forward(rig().exec(), {{&slice, 1}}, out));
      sequence.advance(static_cast<int>(n));
      spared += out.unread_bytes;
      for (std::size_t r = 0; r < n; ++r) {
        std::vector<float> sorted(whole.begin() + static_cast<std::ptrdiff_t>((first + r) * vocab),
                                  whole.begin() + static_cast<std::ptrdiff_t>((first + r + 1) * vocab));
        const float* right = &whole[(first + r) * vocab];
        std::nth_element(sorted.begin(), sorted.begin() + count - 1, sorted.end(), std::greater<float>());
        const float least = sorted[static_cast<std::size_t>(count) - 1];
        for (std::size_t i = 0; i < vocab; ++i) {
          const float got = rows[r * vocab + i];
          ASSERT_TRUE(got == right[i] || (got == -std::numeric_limits<float>::infinity() && right[i] < least))
              << "position " << first + r << ", token " << i << ": " << got << ", not " << right[i];
        }
      }
      first += n;
    }
    if (count == 1) {
      EXPECT_GT(spared, 0u);
    }
  }
}

TEST_P(Invariance, NeighboursDoNotMatter) {
  const auto ids = prompt();
  const std::size_t vocab = static_cast<std::size_t>(rig().model().info().vocab_size);
  const auto alone = last_logits(rig(), ids, ids.size());
  // Beside it: one sequence in decode, one short prompt, one of which nobody wants logits.
  KvSequence mine = rig().cache().new_sequence(), decoding = rig().cache().new_sequence();
  KvSequence other = rig().cache().new_sequence(), silent = rig().cache().new_sequence();
  rig().extend(decoding, {ids.data() + 3, 45});
  ASSERT_TRUE(mine.reserve(static_cast<int>(ids.size())));
  ASSERT_TRUE(decoding.reserve(1));
  ASSERT_TRUE(other.reserve(13));
  ASSERT_TRUE(silent.reserve(50));
  const SequenceSlice slices[] = {
      {{ids.data() + 60, 1}, 45, decoding.view(), LogitsWanted::kLast},
      {{ids.data() + 5, 50}, 0, silent.view(), LogitsWanted::kNone},
      {ids, 0, mine.view(), LogitsWanted::kLast},
      {{ids.data() + 9, 13}, 0, other.view(), LogitsWanted::kAll},
  };
  std::vector<float> rows(15 * vocab);
  StepOutput out{make_view(rows.data(), DType::kF32, {15, static_cast<std::int64_t>(vocab)})};
  ASSERT_TRUE(rig().model().forward(rig().exec(), {slices}, out));
  const std::vector<float> beside(rows.begin() + static_cast<std::ptrdiff_t>(vocab),
                                  rows.begin() + static_cast<std::ptrdiff_t>(2 * vocab));
  EXPECT_TRUE(same_bits(alone, beside));
}

TEST_P(Invariance, ThreadsAndInstructionSetsDoNotMatter) {
  auto ids = prompt();
  const auto two = last_logits(rig(), ids, ids.size());
  Rig& single = shared_rig(GetParam(), 1);
  EXPECT_TRUE(same_bits(two, last_logits(single, ids, ids.size()))) << "1 thread";
  ids.resize(36);
  const auto best = last_logits(rig(), ids, 36);
  const Isa isa = rig().exec().isa;
  for (const Isa other : {Isa::kAvx2, Isa::kScalar}) {
    if (!isa_supported(other)) continue;
    rig().exec().isa = other;
    EXPECT_TRUE(same_bits(best, last_logits(rig(), ids, 36))) << isa_name(other);
  }
  rig().exec().isa = isa;
}

TEST_P(Invariance, WrongInputIsAnErrorAndHarmsNothing) {
  KvSequence sequence = rig().cache().new_sequence();
  ASSERT_TRUE(sequence.reserve(4));
  const std::size_t vocab = static_cast<std::size_t>(rig().model().info().vocab_size);
  std::vector<float> row(vocab);
  StepOutput out{make_view(row.data(), DType::kF32, {1, static_cast<std::int64_t>(vocab)})};
  const auto forward = [&](std::vector<std::int32_t> ids, int start) {
    const SequenceSlice slice{ids, start, sequence.view(), LogitsWanted::kLast};
    return rig().model().forward(rig().exec(), {{&slice, 1}}, out);
  };
  for (const std::int32_t id : {-1, static_cast<std::int32_t>(vocab), 1 << 30}) {
    const Status bad = forward({1, id}, 0);
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().kind, ErrorKind::kInvalid);
  }
  EXPECT_FALSE(forward({}, 0));
  EXPECT_FALSE(forward({1}, -1));
  EXPECT_FALSE(forward({1}, rig().model().info().context_length));
  EXPECT_FALSE(forward({1}, 0x7fffffff));
  EXPECT_TRUE(forward({1, 2}, 0));
}

INSTANTIATE_TEST_SUITE_P(Models, Invariance, testing::Values("smollm2-135m-instruct", "gemma-3-270m"),
                         [](const auto& info) { return info.param[0] == 's' ? "SmolLM2" : "Gemma3"; });

}  // namespace
}  // namespace consort::golden
