#include "models/network/network.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace consort {
namespace {

class Fixed final : public Network {
 public:
  explicit Fixed(std::vector<std::string> labels) { info_.labels = std::move(labels); }
  const NetworkInfo& info() const override { return info_; }
  Result<std::unique_ptr<Sample>> prepare(const NetworkInput&) const override {
    return std::make_unique<Sample>();
  }
  Status forward(Exec&, std::span<const Sample* const>, NetworkOutput&) override { return {}; }

 private:
  NetworkInfo info_;
};

TEST(NetworkDecide, SoftmaxOfTheBestTiesToTheLowerIndex) {
  const Fixed network({"cat", "dog", "owl"});
  const float logits[] = {1.0F, 3.0F, 3.0F};
  const Decision d = network.decide(Sample(), logits, 2);
  ASSERT_EQ(d.labels.size(), 2U);
  EXPECT_EQ(d.labels[0].label, "dog");
  EXPECT_EQ(d.labels[1].label, "owl");
  EXPECT_NEAR(d.labels[0].score, 1 / (2 + std::exp(-2.0)), 1e-12);
  EXPECT_EQ(d.raw.size(), 2U);
}

TEST(NetworkDecide, ClassesWithoutNamesAreNumbered) {
  const Fixed network({});
  const float logits[] = {0.0F, 1.0F};
  EXPECT_EQ(network.decide(Sample(), logits, 5).labels[0].label, "1");
  EXPECT_TRUE(network.decide(Sample(), logits, 0).labels.empty());
}

TEST(NetworkDecide, LargeLogitsDoNotOverflow) {
  const Fixed network({});
  const float logits[] = {3e38F, -3e38F};
  EXPECT_EQ(network.decide(Sample(), logits, 1).labels[0].score, 1.0);
}

}  // namespace
}  // namespace consort
