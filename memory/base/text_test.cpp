#include "memory/base/text.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

TEST(Text, BrokenUtf8BecomesOneReplacementForEachMaximalSubpart) {
  bool replaced = false;
  EXPECT_EQ(to_utf8("naïve", replaced), "naïve");
  EXPECT_FALSE(replaced);
  EXPECT_EQ(to_utf8("a\xE2\x82", replaced), "a\xEF\xBF\xBD");
  EXPECT_TRUE(replaced);
  // Overlong, surrogate, too large: every byte on its own.
  EXPECT_EQ(to_utf8("\xC0\x80", replaced), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(to_utf8("\xED\xA0\x80", replaced), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(to_utf8("\xF1\x80\x80x", replaced), "\xEF\xBF\xBDx");
}

TEST(Text, Base64OfTheRfc4648Examples) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
}

}  // namespace
}  // namespace consort
