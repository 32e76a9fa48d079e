#include "protocols/cli/commands/bench_page.h"

#include <gtest/gtest.h>

namespace consort::bench {
namespace {

Value row(int rows, double rate, double share) {
  return Value::object({{"rows", rows},
                        {"tokens_per_s", rate},
                        {"min", rate},
                        {"max", rate},
                        {"bound", "int16"},
                        {"share", share}});
}

Value report() {
  const Value roof =
      Value::object({{"dram_read_gbs", 20.5}, {"int16_gops", 90.0}, {"bound", "memory"}, {"share", 0.5}});
  const Value decode = Value::object({{"name", "decode"},
                                      {"model", "a<b"},
                                      {"rounds", 3},
                                      {"tokens_per_s", 100.0},
                                      {"min", 90.0},
                                      {"max", 120.0},
                                      {"roof", roof}});
  const Value skipped =
      Value::object({{"name", "prefill"}, {"model", "gone"}, {"skipped", "not installed & missing"}});
  const Value rows = Value::object({{"name", "rows"},
                                    {"model", "m"},
                                    {"tokens_per_s", 400.0},
                                    {"min", 390.0},
                                    {"max", 410.0},
                                    {"worst_step", Value::object({{"prompts", 0.97}, {"sequences", 0.91}})},
                                    {"prompts", Value::array({row(1, 100, 0.5), row(8, 400, 0.8)})},
                                    {"sequences", Value::array({row(1, 90, 0.4)})}});
  return Value::object({{"name", "report"},
                        {"threads", 2},
                        {"isa", "avx2"},
                        {"rounds", 3},
                        {"roof", roof},
                        {"benches", Value::array({decode, skipped, rows})}});
}

TEST(BenchPage, AFigureIsWhatStandsBeforeItsRange) {
  const Figure f = figure_of(report().get("benches").as_array()[0]);
  EXPECT_EQ(f.unit, "tokens_per_s");
  EXPECT_EQ(f.value, 100);
  EXPECT_EQ(f.low, 90);
  EXPECT_EQ(f.high, 120);
  EXPECT_EQ(f.bound, "memory");
  EXPECT_EQ(f.share, 0.5);
}

TEST(BenchPage, HoldsRoofsSharesGapsAndPlots) {
  const std::string page = report_page(report());
  for (const char* part : {"20.5", "tokens/s", "50 %", "a&lt;b", "not installed &amp; missing", "<svg",
                           "rows of a step", "97 %", "91 %", "</html>"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  EXPECT_EQ(page.find("a<b"), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page, report_page(report()));
}

}  // namespace
}  // namespace consort::bench
