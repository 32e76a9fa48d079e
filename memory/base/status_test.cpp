#include "memory/base/status.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

Result<int> half(int x) {
  if (x % 2 != 0) return fail(ErrorKind::kInvalid, "odd number", "argument x", "give an even one");
  return x / 2;
}

Result<std::string> half_as_text(int x) {
  CONSORT_TRY(h, half(x));
  return std::to_string(h);
}

TEST(Status, ForwardsTheErrorAcrossValueTypes) {
  EXPECT_EQ(half_as_text(8).value(), "4");
  auto bad = half_as_text(7);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().line(), "consort: odd number (argument x): give an even one");
}

TEST(Status, ExitStatusFollowsTheCommandLineContract) {
  EXPECT_EQ(exit_status(ErrorKind::kUsage), 2);
  EXPECT_EQ(exit_status(ErrorKind::kInvalid), 3);
  EXPECT_EQ(exit_status(ErrorKind::kNotFound), 4);
  EXPECT_EQ(exit_status(ErrorKind::kRuntime), 5);
  EXPECT_EQ(exit_status(ErrorKind::kCancelled), 130);
}

}  // namespace
}  // namespace consort
