#include "protocols/cli/trace_page.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

TEST(TracePage, HoldsTheDataAndNoMarkupFromModels) {
  const Value trace = Value::object({{"run_id", "r1"}, {"spans", Value::array()}});
  const Value report = Value::object({{"output", "</script><script>alert(1)</script><!--"}});
  const std::string page = trace_page(trace, report);
  EXPECT_EQ(page.find("__CONSORT_DATA__"), std::string::npos);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_NE(page.find("\\u003c/script>\\u003cscript>alert(1)"), std::string::npos);
  EXPECT_NE(page.find("\"run_id\":\"r1\""), std::string::npos);
}

}  // namespace
}  // namespace consort
