#include <gtest/gtest.h>

#include <random>

#include "memory/store/temporary_store.h"
#include "scheduler/blob/blob_store.h"
#include "scheduler/blob/media_type.h"

namespace consort {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string png(std::uint32_t width, std::uint32_t height) {
  std::string out("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
  for (const std::uint32_t n : {width, height})
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(n >> shift);
  return out;
}

// Start of image, an APP0 of 16 bytes, a fill byte, a progressive frame header.
std::string jpeg(int width, int height) {
  std::string out("\xFF\xD8\xFF\xE0\x00\x10", 6);
  out += std::string(14, 'x');
  out += std::string("\xFF\xFF\xC2\x00\x11\x08", 6);
  for (const int n : {height, width}) {
    out += static_cast<char>(n >> 8);
    out += static_cast<char>(n);
  }
  return out;
}

Value size(int width, int height) {
  return Value::object({{"width", width}, {"height", height}});
}

TEST(MediaType, IsToldFromTheContent) {
  EXPECT_EQ(media_type_of(bytes_of(png(1, 1)), "a.txt"), "image/png");
  EXPECT_EQ(media_type_of(bytes_of(jpeg(1, 1))), "image/jpeg");
  EXPECT_EQ(media_type_of(bytes_of("plain\ttext\n")), "text/plain");
  EXPECT_EQ(media_type_of(bytes_of("")), "text/plain");
  EXPECT_EQ(media_type_of(bytes_of("BMW is a text")), "text/plain");
  EXPECT_EQ(media_type_of(bytes_of("{\"a\": 1}"), "a.json"), "application/json");
  EXPECT_EQ(media_type_of(bytes_of("{\"a\": 1}")), "text/plain");
  EXPECT_EQ(media_type_of(bytes_of("{\"nodes\": 2, \"edges\": []}")), "application/json");
  EXPECT_EQ(media_type_of(bytes_of(std::string_view("a\0b", 3))), "application/octet-stream");
  EXPECT_EQ(media_type_of(bytes_of("\xFF\xFE")), "application/octet-stream");
}

TEST(MediaType, MetadataOfPicturesAndGraphs) {
  EXPECT_EQ(content_metadata(bytes_of(png(640, 481)), "image/png"), size(640, 481));
  EXPECT_EQ(content_metadata(bytes_of(jpeg(300, 200)), "image/jpeg"), size(300, 200));
  const std::string vp8x("RIFF\0\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0\x2B\x01\0\xC7\0\0", 30);
  EXPECT_EQ(content_metadata(bytes_of(vp8x), "image/webp"), size(300, 200));
  const std::string vp8l("RIFF\0\0\0\0WEBPVP8L\x0A\0\0\0\x2F\x2B\xC1\x31\x00\0\0\0\0\0", 30);
  EXPECT_EQ(content_metadata(bytes_of(vp8l), "image/webp"), size(300, 200));
  EXPECT_EQ(content_metadata(bytes_of(R"({"nodes": [[1], [2]], "edges": [[0, 1]]})"), "application/json"),
            Value::object({{"nodes", 2}, {"edges", 1}}));
  EXPECT_EQ(content_metadata(bytes_of("text"), "text/plain"), Value::object());
}

TEST(MediaType, DamagedHeadersAreNoSize) {
  std::mt19937 rng(3);
  const std::string whole[] = {
      png(640, 480), jpeg(640, 480),
      std::string("RIFF\0\0\0\0WEBPVP8 \x0A\0\0\0\0\0\0\x9D\x01\x2A\x2C\x01\xC8\0", 30)};
  const char* types[] = {"image/png", "image/jpeg", "image/webp"};
  for (int i = 0; i < 6000; ++i) {
    const std::size_t which = rng() % 3;
    std::string text = whole[which];
    if (rng() % 2 == 0) text.resize(rng() % (text.size() + 1));
    for (unsigned n = rng() % 3; n > 0 && !text.empty(); --n)
      text[rng() % text.size()] = static_cast<char>(rng());
    const Value found = content_metadata(bytes_of(text), types[which]);
    EXPECT_TRUE(found.size() == 0 || found.size() == 2);
    (void)media_type_of(bytes_of(text));
  }
  EXPECT_EQ(content_metadata(bytes_of(png(1, 1)).first(20), "image/png").size(), 0u);
}

TEST(Blob, TheHandleNamesItsContent) {
  const Blob blob = *make_blob(SharedBytes::of("abc"), "a.txt");
  EXPECT_EQ(blob.digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-4
  const Value handle = blob_handle(blob);
  EXPECT_EQ(write_json(handle),
            R"({"$blob":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",)"
            R"("mediaType":"text/plain","bytes":3,"name":"a.txt"})");
  EXPECT_TRUE(is_blob_handle(handle));
  EXPECT_FALSE(is_blob_handle("abc"));
  EXPECT_EQ(*blob_digest(handle), blob.digest);
  for (const Value& bad : {Value("x"), Value(3), Value(std::string(64, 'G')), Value(std::string(63, 'a'))})
    EXPECT_FALSE(blob_digest(Value::object({{"$blob", bad}})));
  EXPECT_EQ(blob_handle(*make_blob(SharedBytes::of(png(7, 9)))).get("height").as_integer(), 9);
  EXPECT_EQ(make_blob(SharedBytes::of(std::string(kMaxBlobBytes + 1, 'x'))).error().kind,
            ErrorKind::kInvalid);
}

TEST(BlobStore, BytesAreSharedAndMemoryIsBounded) {
  auto blobs = *BlobStore::open(nullptr, 1000);
  const Blob one = *make_blob(SharedBytes::of(std::string(600, 'a')));
  const Value handle = *blobs->put(one);
  EXPECT_EQ(*blobs->put(one), handle);
  EXPECT_EQ(blobs->stats().bytes, 600u);
  EXPECT_EQ(blobs->get(handle)->bytes.view.data(), one.bytes.view.data());
  EXPECT_EQ(blobs->get(handle.with("name", "b.txt"))->name, "b.txt");
  EXPECT_EQ(blobs->put(*make_blob(SharedBytes::of(std::string(600, 'b')))).error().kind, ErrorKind::kMemory);
  EXPECT_EQ(blobs->get(Value::object({{"$blob", std::string(64, '0')}})).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(blobs->kept_write(handle).error().kind, ErrorKind::kUnavailable);
}

TEST(BlobStore, WhatIsKeptOutlivesTheProcess) {
  testing::TemporaryDirectory directory;
  const Blob blob = *make_blob(SharedBytes::of(std::string(600, 'a') + std::string("\0\xFF", 2)), "a.bin");
  const Value handle = blob_handle(blob);
  const Value input = Value::object({{"deep", Value::array({Value::object({{"photo", handle}}), handle})}});
  EXPECT_EQ(blob_handles_in(input).size(), 1u);
  {
    auto store = *Store::open(directory / "s");
    auto blobs = *BlobStore::open(store.get(), 1000);
    EXPECT_FALSE(blobs->keep_all(input));  // its bytes are not here
    ASSERT_TRUE(blobs->put(blob));
    ASSERT_TRUE(blobs->keep_all(input));
    EXPECT_TRUE(blobs->kept_write(handle)->empty());
    // A kept blob makes room for another and comes back from the store.
    ASSERT_TRUE(blobs->put(*make_blob(SharedBytes::of(std::string(700, 'b')))));
    EXPECT_EQ(blobs->get(handle)->bytes.text(), blob.bytes.text());
  }
  auto store = *Store::open(directory / "s");
  auto blobs = *BlobStore::open(store.get());
  const auto back = blobs->get(handle);
  ASSERT_TRUE(back) << back.error().line();
  EXPECT_EQ(back->bytes.text(), blob.bytes.text());
  EXPECT_EQ(back->name, "a.bin");
  EXPECT_EQ(back->media_type, "application/octet-stream");
  ASSERT_TRUE(store->commit({{"blobs", blob.digest, std::string("\1damaged"), false}}, Durability::kAsync));
  auto other = *BlobStore::open(store.get());
  EXPECT_EQ(other->get(handle).error().kind, ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace consort
