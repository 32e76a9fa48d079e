#include "scheduler/value/digest.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

TEST(Digest, KeysStandInByteOrderAtEveryDepth) {
  const Value v = *parse_json(R"({"b":[{"z":1,"a":2.0}],"a":"x\ny","":null,"é":true})");
  EXPECT_EQ(canonical_json(v), R"({"":null,"a":"x\ny","b":[{"a":2.0,"z":1}],"é":true})");
}

TEST(Digest, EqualDataHasOneDigestAndOtherDataAnother) {
  const std::string digest = value_digest(*parse_json(R"({"a":1,"b":[1,2]})"));
  EXPECT_EQ(digest.size(), 32u);
  EXPECT_EQ(value_digest(*parse_json(R"({"b":[1,2],"a":1})")), digest);
  for (const char* other :
       {R"({"a":1,"b":[2,1]})", R"({"a":1,"b":[1,2],"c":null})", R"({"a":"1","b":[1,2]})"})
    EXPECT_NE(value_digest(*parse_json(other)), digest) << other;
  // XXH3-128 of the two bytes "{}", as xxhsum -H2 prints it.
  EXPECT_EQ(value_digest(Value::object()), "dc7048f8f8747f561349cde127705c16");
}

}  // namespace
}  // namespace consort
