#include "memory/store/record.h"

#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace consort {
namespace {

TEST(Record, ReadsBackWhatItWrote) {
  RecordWriter w(3);
  w.u8(7).u32_be(0xdeadbeef).u64_be(1ull << 63).varint(0).varint(127).varint(128);
  w.varint(std::numeric_limits<std::uint64_t>::max())
      .zigzag(-1)
      .zigzag(std::numeric_limits<std::int64_t>::min());
  w.f64(-0.1).bytes("text").key_text("key").raw("tail");
  RecordReader r(w.view());
  EXPECT_EQ(r.u8(), 3);
  EXPECT_EQ(r.u8(), 7);
  EXPECT_EQ(r.u32_be(), 0xdeadbeef);
  EXPECT_EQ(r.u64_be(), 1ull << 63);
  EXPECT_EQ(r.varint(), 0u);
  EXPECT_EQ(r.varint(), 127u);
  EXPECT_EQ(r.varint(), 128u);
  EXPECT_EQ(r.varint(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(r.zigzag(), -1);
  EXPECT_EQ(r.zigzag(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(r.f64(), -0.1);
  EXPECT_EQ(r.bytes(), "text");
  EXPECT_EQ(r.key_text(), "key");
  EXPECT_EQ(r.rest(), "tail");
  EXPECT_TRUE(r.finish("record").has_value());
}

TEST(Record, EveryTruncationIsAnError) {
  const std::string whole = RecordWriter(1).varint(300).bytes("hello").f64(2.5).u64_be(9).take();
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    RecordReader r(std::string_view(whole).substr(0, cut));
    r.u8();
    r.varint();
    r.bytes();
    r.f64();
    r.u64_be();
    EXPECT_FALSE(r.finish("record").has_value()) << cut;
  }
}

TEST(Record, LeftOverBytesAndHugeLengthsAreErrors) {
  RecordReader left("ab");
  left.u8();
  EXPECT_FALSE(left.finish("record").has_value());
  RecordReader huge("\xff\xff\xff\xff\xff\xff\xff\xff\x01zz");
  EXPECT_EQ(huge.bytes(), "");
  EXPECT_FALSE(huge.ok());
  const std::string ones(11, '\xff');
  RecordReader endless(ones);
  endless.varint();
  EXPECT_FALSE(endless.ok());
}

TEST(Record, KeysSortLikeTheirNumbers) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t a = random() >> (random() % 64), b = random() >> (random() % 64);
    const auto key_a = RecordWriter().u64_be(a).take(), key_b = RecordWriter().u64_be(b).take();
    EXPECT_EQ(a < b, key_a < key_b);
  }
}

}  // namespace
}  // namespace consort
