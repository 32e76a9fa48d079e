#include "memory/retrieval/metadata.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace consort {
namespace {

using Op = Filter::Op;

class FilterTest : public ::testing::Test {
 protected:
  FilterTest() {
    metadata_["year"] = std::int64_t{1874};
    metadata_["height"] = 31.5;
    metadata_["colour"] = std::string("white");
    metadata_["open"] = true;
    metadata_["none"] = MetadataValue();
    metadata_["tags"] = std::vector<std::string>{"sea", "stone"};
    metadata_["large"] = std::numeric_limits<std::int64_t>::max();
  }
  bool holds(const Filter& f) {
    EXPECT_TRUE(check_filter(f).has_value());
    FilterSubject subject{&metadata_, "ext", "a.md", "run-1", "/do/0", "", 1000, 2000};
    return matches(f, subject);
  }
  Metadata metadata_;
};

TEST_F(FilterTest, ComparesWithTypes) {
  EXPECT_TRUE(holds(Filter::equals("year", std::int64_t{1874})));
  EXPECT_TRUE(holds(Filter::equals("year", 1874.0)));
  EXPECT_FALSE(holds(Filter::equals("year", std::string("1874"))));
  EXPECT_TRUE(holds(Filter::compare(Op::kLess, "height", std::int64_t{32})));
  EXPECT_FALSE(holds(Filter::compare(Op::kLess, "height", std::int64_t{31})));
  EXPECT_TRUE(holds(Filter::compare(Op::kGreaterEqual, "colour", std::string("w"))));
  EXPECT_FALSE(holds(Filter::compare(Op::kGreater, "colour", std::int64_t{0})));  // no order between types
  EXPECT_FALSE(holds(Filter::compare(Op::kLessEqual, "colour", std::int64_t{0})));
  // 2^63 as a double is above the greatest integer; rounded comparison would call them equal.
  EXPECT_TRUE(holds(Filter::compare(Op::kLess, "large", 9223372036854775808.0)));
  EXPECT_FALSE(holds(Filter::equals("large", 9223372036854775808.0)));
  EXPECT_TRUE(holds(Filter::equals("open", true)));
  EXPECT_FALSE(holds(Filter::equals("open", std::int64_t{1})));
}

TEST_F(FilterTest, ListsInExistsAndNull) {
  EXPECT_TRUE(holds(Filter::equals("tags", std::string("sea"))));
  EXPECT_FALSE(holds(Filter::equals("tags", std::string("wood"))));
  EXPECT_TRUE(holds(Filter::equals("tags", std::vector<std::string>{"sea", "stone"})));
  EXPECT_TRUE(holds(Filter::in("colour", {std::string("red"), std::string("white")})));
  EXPECT_FALSE(holds(Filter::in("colour", {})));
  EXPECT_TRUE(holds(Filter::exists("none")));
  EXPECT_FALSE(holds(Filter::exists("absent")));
  EXPECT_TRUE(holds(Filter::equals("absent", MetadataValue())));
  EXPECT_TRUE(holds(Filter::equals("none", MetadataValue())));
  EXPECT_FALSE(holds(Filter::compare(Op::kLess, "absent", std::int64_t{5})));
}

TEST_F(FilterTest, JoinsAndOwnFields) {
  const auto sea = Filter::equals("tags", std::string("sea")),
             red = Filter::equals("colour", std::string("red"));
  EXPECT_TRUE(holds(Filter::any({red, sea})));
  EXPECT_FALSE(holds(Filter::all({red, sea})));
  EXPECT_TRUE(holds(Filter::none({red})));
  EXPECT_TRUE(holds(Filter::all({})));
  EXPECT_FALSE(holds(Filter::any({})));
  EXPECT_TRUE(holds(Filter::equals("@source", std::string("a.md"))));
  EXPECT_TRUE(holds(Filter::equals("@run", std::string("run-1"))));
  EXPECT_TRUE(holds(Filter::compare(Op::kGreater, "@updated", std::int64_t{1999})));
}

TEST(FilterCheck, RefusesWhatCannotBeMeant) {
  EXPECT_FALSE(check_filter(Filter::equals("@nothing", true)));
  EXPECT_FALSE(check_filter(Filter::equals("", true)));
  Filter two = Filter::equals("a", true);
  two.values.resize(2);
  EXPECT_FALSE(check_filter(two));
  Filter deep = Filter::equals("a", true);
  for (int i = 0; i < 20; ++i) deep = Filter::none({deep});
  EXPECT_FALSE(check_filter(deep));
  EXPECT_FALSE(check_filter(Filter::all(std::vector<Filter>(300, Filter::exists("a")))));
  EXPECT_FALSE(check_filter(Filter::in("a", std::vector<MetadataValue>(2000))));
}

TEST(MetadataCheck, Limits) {
  EXPECT_TRUE(check_metadata({{"a", 1.5}, {"b", std::string("ü")}}));
  EXPECT_FALSE(check_metadata({{"", true}}));
  EXPECT_FALSE(check_metadata({{"@source", true}}));
  EXPECT_FALSE(check_metadata({{"a", std::nan("")}}));
  EXPECT_FALSE(check_metadata({{"a", std::string("\xff")}}));
  EXPECT_FALSE(check_metadata({{"a", std::string(70000, 'x')}}));
  Metadata many;
  for (int i = 0; i < 100; ++i) many["f" + std::to_string(i)] = true;
  EXPECT_FALSE(check_metadata(many));
}

}  // namespace
}  // namespace consort
