#include "scheduler/value/xml.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

TEST(Xml, EscapesAndLeavesControlCharactersOut) {
  EXPECT_EQ(escape_xml("a<b> & \"c\" 'd' \xC3\xA9"), "a&lt;b&gt; &amp; &quot;c&quot; 'd' \xC3\xA9");
  EXPECT_EQ(escape_xml(std::string_view("x\0y\x1Bz\tw", 7)), "xyzw");
  EXPECT_EQ(escape_xml("one\ntwo"), "onetwo");
  EXPECT_EQ(escape_xml("one\n\rtwo", true), "one\ntwo");
}

}  // namespace
}  // namespace consort
