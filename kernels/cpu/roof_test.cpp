#include "kernels/cpu/roof.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

TEST(Isa, NamesGoBothWaysAndScalarAlwaysRuns) {
  EXPECT_TRUE(isa_supported(Isa::kScalar));
  EXPECT_TRUE(isa_supported(best_isa()));
  for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) EXPECT_EQ(isa_from_name(isa_name(isa)), isa);
  EXPECT_FALSE(isa_from_name("sse9").has_value());
  EXPECT_FALSE(isa_from_name("").has_value());
}

// Loose: any machine that runs this reads more than 100 MB/s and less than 10 TB/s a thread, and wider
// vectors do not make it slower by half.
TEST(Roof, FiguresAreThoseOfAMachine) {
#ifdef CONSORT_SANITIZED
  GTEST_SKIP() << "a sanitizer's speed is not the machine's";
#endif
  double scalar_flops = 0;
  for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (!isa_supported(isa)) continue;
    for (int threads : {1, 2}) {
      const Roof roof = measure_roof(isa, threads, 0.04);
      EXPECT_EQ(roof.threads, threads);
      for (double value : {roof.dram_read_gbs, roof.l3_read_gbs, roof.cache_read_gbs, roof.f32_gflops,
                           roof.int16_gops, roof.int8_gops}) {
        EXPECT_GT(value, 0.1) << isa_name(isa);
        EXPECT_LT(value, 1e4 * threads) << isa_name(isa);
      }
      if (isa == Isa::kScalar && threads == 1) scalar_flops = roof.f32_gflops;
      if (isa != Isa::kScalar && threads == 1) {
        EXPECT_GT(roof.f32_gflops, scalar_flops * 0.5);
      }
    }
  }
}

}  // namespace
}  // namespace consort
