#include "scheduler/workflow/bench_steps.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "memory/store/temporary_store.h"
#include "scheduler/workflow/runner_test_support.h"

namespace consort {
namespace {

TEST(BenchStepsTest, MeasuresEveryVariantAndMemoryStaysFlat) {
  const testing::TemporaryDirectory directory;
  auto store = Store::open(directory / "store");
  ASSERT_TRUE(store) << store.error().line();
  auto journal = Journal::open(**store);
  ASSERT_TRUE(journal) << journal.error().line();
  test::Kinds fakes;
  StepsBenchOptions options;
  options.rounds = 3;
  options.steps = 2000;
#ifdef CONSORT_SANITIZED
  options.memory_steps = 2'000;
#else
  options.memory_steps = 200'000;
#endif
  options.call_kind = "echo";
  Result<Value> measured = bench_steps(fakes.kinds, journal->get(), options);
  ASSERT_TRUE(measured) << measured.error().line();
  const Value variants = measured->get("variants");
  ASSERT_EQ(variants.size(), 5u);
  for (const Value& variant : variants.as_array())
    EXPECT_GT(variant.get("microseconds_per_step").as_number(), 0) << write_json(variant);
#ifndef CONSORT_SANITIZED  // AddressSanitizer keeps freed memory in its quarantine, which grows with every
                           // step
  // A kept path or span for each step would be at least 16 MB here.
  EXPECT_LT(measured->get("memory").get("growth_bytes").as_integer(), 8 << 20);
#endif
  EXPECT_EQ((*journal)->list()->size(), 0u);  // the bench leaves nothing behind
  if (std::getenv("CONSORT_BENCH_PRINT")) puts(write_json_pretty(*measured).c_str());
}

}  // namespace
}  // namespace consort
