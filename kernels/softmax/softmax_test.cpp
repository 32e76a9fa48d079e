#include "kernels/softmax/softmax.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace consort {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class Softmax : public ::testing::Test {
 protected:
  std::unique_ptr<DevicePool> pool_ = DevicePool::create_cpu(std::size_t{64} << 20).value();
  ThreadPool threads_{2};
  ScratchArena scratch_{*pool_, Owner{"activations", "test"}};
  Exec exec_{threads_, scratch_};
};

TEST_F(Softmax, LogSumExpOfExtremes) {
  const std::vector<float> large = {1000.0f, 1000.0f}, masked = {-kInf, 2.0f, -kInf}, none = {-kInf, -kInf};
  EXPECT_NEAR(log_sum_exp(exec_, large), 1000.0 + std::log(2.0), 1e-5);
  EXPECT_NEAR(log_sum_exp(exec_, masked), 2.0, 1e-6);
  EXPECT_EQ(log_sum_exp(exec_, none), -static_cast<double>(kInf));
}

TEST_F(Softmax, BrokenLogitsNeverLookNormal) {
  for (const std::size_t n : {1u, 17u, 40000u})
    for (const std::size_t at : {std::size_t{0}, n / 2, n - 1}) {
      std::vector<float> x(n, 0.5f);
      x[at] = kNan;
      EXPECT_TRUE(std::isnan(log_sum_exp(exec_, x))) << n << " at " << at;
    }
}

TEST_F(Softmax, LogSoftmaxSumsToOne) {
  std::vector<float> x(50000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i)) * 10.0f;
  log_softmax(exec_, x, x);
  double total = 0;
  for (const float v : x) total += std::exp(static_cast<double>(v));
  EXPECT_NEAR(total, 1.0, 1e-5);
}

TEST_F(Softmax, TiesGoToTheSmallerIdAndNanNeverWins) {
  const std::vector<float> x = {1.0f, kNan, 3.0f, 3.0f, -kInf, 2.0f};
  EXPECT_EQ(argmax(exec_, x), 2);
  const auto best = top_k(exec_, x, 3);
  ASSERT_EQ(best.size(), 3u);
  EXPECT_EQ(best[0].id, 2);
  EXPECT_EQ(best[1].id, 3);
  EXPECT_EQ(best[2].id, 5);
  EXPECT_EQ(top_k(exec_, x, 100).size(), 5u);
  EXPECT_TRUE(top_k(exec_, x, 0).empty());
}

}  // namespace
}  // namespace consort
