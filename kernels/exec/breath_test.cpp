#include "kernels/exec/breath.h"

#include <gtest/gtest.h>

#include <thread>

namespace consort {
namespace {

TEST(Breath, DoesNothingUnlessItWasLentOut) {
  breathe();
  int calls = 0;
  const auto before = Breaths::spent();
  const auto taken = Breaths::taken();
  {
    const Breaths breaths([&calls] {
      ++calls;
      breathe();  // not again from inside
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    });
    breathe();
    breathe();
    std::thread([] { breathe(); }).join();  // another thread's is another matter
  }
  breathe();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(Breaths::taken() - taken, 2u);
  EXPECT_GE(Breaths::spent() - before, std::chrono::milliseconds(4));
}

}  // namespace
}  // namespace consort
