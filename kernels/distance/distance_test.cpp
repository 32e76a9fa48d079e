// Every instruction set gives the bits of the portable functions of memory/retrieval.
#include "kernels/distance/distance.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <random>

namespace consort {
namespace {

std::vector<float> random_floats(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> out(n);
  for (float& x : out) x = static_cast<float>(static_cast<double>(random() >> 11) * 0x1p-53 * 2 - 1);
  return out;
}

std::vector<Isa> here() {
  std::vector<Isa> all;
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512})
    if (isa_supported(isa)) all.push_back(isa);
  return all;
}

TEST(Distance, InnerProductsAreThePortableOnes) {
  for (const std::size_t n : {0u, 1u, 7u, 15u, 16u, 17u, 31u, 128u, 383u, 384u, 1000u}) {
    const auto a = random_floats(n, n + 1), b = random_floats(n, n + 100);
    for (const Isa isa : here())
      EXPECT_EQ(dot_function(isa)(a.data(), b.data(), n), dot_portable(a.data(), b.data(), n))
          << n << " " << isa_name(isa);
  }
}

TEST(Distance, ProductsOfCodesAreThePortableOnes) {
  std::mt19937_64 random(5);
  for (const std::size_t n : {1u, 15u, 16u, 31u, 33u, 384u, 512u})
    for (const std::size_t rows : {0u, 1u, 3u, 4u, 9u}) {
      std::vector<std::int16_t> query(n);
      std::vector<std::int8_t> codes(n * rows);
      for (auto& q : query) q = static_cast<std::int16_t>(static_cast<int>(random() % 65535) - 32767);
      for (auto& c : codes) c = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
      std::fill(codes.begin(), codes.begin() + static_cast<std::ptrdiff_t>(rows > 0 ? n : 0), std::int8_t{127});
      std::vector<std::int32_t> wanted(rows), got(rows);
      code_dots_portable(query.data(), codes.data(), rows, n, wanted.data());
      for (const Isa isa : here()) {
        code_dots_function(isa)(query.data(), codes.data(), rows, n, got.data());
        EXPECT_EQ(got, wanted) << n << " x " << rows << " " << isa_name(isa);
      }
    }
}

TEST(Distance, LateInteractionIsThePortableOne) {
  for (const std::size_t dimension : {1u, 12u, 16u, 96u, 384u})
    for (const std::size_t text_rows : {0u, 1u, 3u, 40u})
      for (const std::size_t query_rows : {0u, 1u, 4u, 5u, 32u}) {
        const auto text =
            quantise_tokens(random_floats(text_rows * dimension, dimension + text_rows), dimension);
        const auto query = normalised_rows(random_floats(query_rows * dimension, dimension), dimension);
        const double wanted = max_sim_portable(query.data(), query_rows, text);
        for (const Isa isa : here())
          EXPECT_EQ(max_sim_function(isa)(query.data(), query_rows, text), wanted)
              << dimension << " x " << text_rows << " x " << query_rows << " " << isa_name(isa);
      }
}

// A figure, not a judgement: a query of 32 tokens against texts of 120 tokens.
TEST(Distance, PrintsHowLongAMaxSimTakes) {
  constexpr std::size_t kDimension = 384, kQuery = 32, kRows = 120, kTexts = 20;
  const auto query = normalised_rows(random_floats(kQuery * kDimension, 1), kDimension);
  std::vector<TokenVectors> texts;
  for (std::size_t i = 0; i < kTexts; ++i)
    texts.push_back(quantise_tokens(random_floats(kRows * kDimension, i + 2), kDimension));
  const auto seconds = [&](MaxSimFunction f) {
    double best = 1e9, sum = 0;
    for (int round = 0; round < 3; ++round) {
      const auto begin = std::chrono::steady_clock::now();
      for (const TokenVectors& text : texts) sum += f(query.data(), kQuery, text);
      best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    EXPECT_GT(sum, 0);
    return best / kTexts * 1e6;
  };
  std::printf("MaxSim 32 x 120 x 384: portable %.0f microseconds", seconds(max_sim_portable));
  for (const Isa isa : here())
    std::printf(", %s %.0f", std::string(isa_name(isa)).c_str(), seconds(max_sim_function(isa)));
  std::printf("\n");
}

}  // namespace
}  // namespace consort
