// Frames: the round trip, what cannot be sent, and thousands of damaged messages.
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <random>

#include "protocols/zmq/crc32c.h"
#include "protocols/zmq/wire_frames.h"

namespace consort::zmq {
namespace {

using namespace std::chrono_literals;

const SteadyTime kNow = SteadyTime{} + 1h;

using Bytes = std::vector<std::byte>;

std::vector<Bytes> frames_of(const EncodedMessage& e) {
  const auto text = [](const std::string& s) {
    const auto b = std::as_bytes(std::span(s));
    return Bytes(b.begin(), b.end());
  };
  std::vector<Bytes> out{Bytes(e.preamble.begin(), e.preamble.end()), text(e.header), text(e.body)};
  for (const TensorLease& lease : e.tensors) {
    const auto bytes = lease.view.elements() == 0 ? 0 : lease.view.bytes();
    out.emplace_back(lease.view.data, lease.view.data + bytes);
  }
  return out;
}

// Each frame in memory of its exact size, so that a sanitizer sees a read beyond it.
WireFrames received(const std::vector<Bytes>& frames) {
  WireFrames out;
  for (const Bytes& frame : frames) {
    auto copy = std::make_shared<std::unique_ptr<std::byte[]>>(new std::byte[frame.size()]);
    if (!frame.empty()) std::memcpy(copy->get(), frame.data(), frame.size());
    out.push_back({{copy->get(), frame.size()}, copy});
  }
  return out;
}

// Makes the checksum right again, so that what lies behind it is tested too.
void seal(std::vector<Bytes>& frames) {
  if (frames.size() < 3 || frames[0].size() != kPreambleBytes) return;
  std::uint32_t crc = crc32c(std::span(frames[0]).first(28));
  crc = crc32c(frames[1], crc);
  crc = crc32c(frames[2], crc);
  std::memcpy(frames[0].data() + 28, &crc, sizeof crc);
}

Message sample() {
  Message m;
  m.type = MessageType::kResponse;
  m.id = "model/a:17";
  m.correlation = "client/1#4";
  m.run = "01JD";
  m.task = "/tasks/2";
  m.from = "model/a";
  m.to = "client/1";
  m.sequence = 99;
  m.attempt = 2;
  m.credits = 5;
  m.deadline = kNow + 1500ms;
  m.body = Value::object({{"text", "naïve \"quotes\""}, {"numbers", Value::array({1, 2.0, -0.0, 1e-300})}});
  auto floats = std::make_shared<std::vector<float>>(12);
  std::iota(floats->begin(), floats->end(), -3.5f);
  m.tensors.push_back({"logits", make_view(floats->data(), DType::kF32, {3, 4}), floats});
  auto bytes = std::make_shared<std::vector<std::uint8_t>>(5, 7);
  m.tensors.push_back({"mask", make_view(bytes->data(), DType::kU8, {5}), bytes});
  return m;
}

TEST(Wire, Crc32cOfTheRfc) {
  Bytes zeros(32), ones(32, std::byte{0xFF}), rising(32);
  for (std::size_t i = 0; i < 32; ++i) rising[i] = static_cast<std::byte>(i);
  for (const auto crc : {&crc32c, &crc32c_by_table}) {  // RFC 3720, appendix B.4
    EXPECT_EQ(crc(zeros, 0), 0x8A9136AAu);
    EXPECT_EQ(crc(ones, 0), 0x62A8AB43u);
    EXPECT_EQ(crc(rising, 0), 0x46DD794Eu);
    EXPECT_EQ(crc(std::span(rising).subspan(13), crc(std::span(rising).first(13), 0)), 0x46DD794Eu);
  }
}

TEST(Wire, EverythingComesBack) {
  const Message m = sample();
  const auto encoded = encode(m, kNow);
  ASSERT_TRUE(encoded) << encoded.error().line();
  const auto back = decode(received(frames_of(*encoded)), kNow + 10h);  // another clock
  ASSERT_TRUE(back) << back.error().line();
  EXPECT_EQ(back->type, m.type);
  EXPECT_EQ(back->id, m.id);
  EXPECT_EQ(back->correlation, m.correlation);
  EXPECT_EQ(back->run, m.run);
  EXPECT_EQ(back->task, m.task);
  EXPECT_EQ(back->from, m.from);
  EXPECT_EQ(back->to, m.to);
  EXPECT_EQ(back->sequence, m.sequence);
  EXPECT_EQ(back->attempt, m.attempt);
  EXPECT_EQ(back->credits, m.credits);
  EXPECT_EQ(back->deadline, kNow + 10h + 1500ms);
  EXPECT_EQ(write_json(back->body), write_json(m.body));
  ASSERT_EQ(back->tensors.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(back->tensors[i].name, m.tensors[i].name);
    EXPECT_EQ(describe(back->tensors[i].view), describe(m.tensors[i].view));
    EXPECT_EQ(std::memcmp(back->tensors[i].view.data, m.tensors[i].view.data, m.tensors[i].view.bytes()), 0);
  }
  const auto plain = encode(Message{}, kNow);
  ASSERT_TRUE(plain);
  const auto empty = decode(received(frames_of(*plain)), kNow);
  ASSERT_TRUE(empty) << empty.error().line();
  EXPECT_TRUE(empty->body.is_null());
  EXPECT_EQ(empty->deadline, kNoDeadline);
}

TEST(Wire, UnalignedTensorsAreMoved) {
  auto frames = frames_of(*encode(sample(), kNow));
  WireFrames shifted = received(frames);
  auto odd = std::make_shared<Bytes>(frames[3].size() + 1);
  std::memcpy(odd->data() + 1, frames[3].data(), frames[3].size());
  shifted[3] = {std::span(*odd).subspan(1), odd};
  const auto back = decode(shifted, kNow);
  ASSERT_TRUE(back) << back.error().line();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(back->tensors[0].view.data) % alignof(float), 0u);
  EXPECT_EQ(back->tensors[0].view.as<float>()[11], 7.5f);
}

TEST(Wire, WhatCannotTravelIsRefusedBySize) {
  Message m = sample();
  m.id = std::string(kMaxHeaderBytes, 'x');
  EXPECT_EQ(encode(m, kNow).error().kind, ErrorKind::kInvalid);
  m = sample();
  m.tensors.assign(kMaxTensors + 1, m.tensors[1]);
  EXPECT_EQ(encode(m, kNow).error().kind, ErrorKind::kInvalid);
  m = sample();
  m.deadline = kNow - 1ms;
  EXPECT_EQ(encode(m, kNow).error().kind, ErrorKind::kTimeout);
  m = sample();
  m.id = "\xff\xfe";
  const auto broken = encode(m, kNow);
  EXPECT_TRUE(!broken || !decode(received(frames_of(*broken)), kNow));
}

TEST(Wire, HeadersThatLieAreRefused) {
  const auto good = frames_of(*encode(sample(), kNow));
  const std::string header(reinterpret_cast<const char*>(good[1].data()), good[1].size());
  const auto with_header = [&](const std::string& text) {
    auto frames = good;
    const auto b = std::as_bytes(std::span(text));
    frames[1].assign(b.begin(), b.end());
    const auto size = static_cast<std::uint32_t>(text.size());
    std::memcpy(frames[0].data() + 8, &size, sizeof size);
    seal(frames);
    return decode(received(frames), kNow);
  };
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = header;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from << " in " << header;
    return with_header(text.replace(at, from.size(), to));
  };
  EXPECT_TRUE(with_header(header));
  EXPECT_FALSE(with_header("[]"));
  EXPECT_FALSE(with_header("{"));
  EXPECT_FALSE(with_header(std::string(150, '[') + std::string(150, ']')));
  EXPECT_FALSE(replaced("[3,4]", "[3,5]"));
  EXPECT_FALSE(replaced("[3,4]", "[-3,-4]"));
  EXPECT_FALSE(replaced("[3,4]", "[4611686018427387904,4,4]"));
  EXPECT_FALSE(replaced("[3,4]", "[1,1,1,3,4]"));
  EXPECT_FALSE(replaced("\"f32\"", "\"f33\""));
  EXPECT_FALSE(replaced("\"credits\":5", "\"credits\":-5"));
  EXPECT_FALSE(replaced("\"credits\":5", "\"credits\":4294967296"));
  EXPECT_FALSE(replaced("\"ttl_us\":1500000", "\"ttl_us\":9223372036854775807"));
  EXPECT_FALSE(replaced("\"from\":\"model/a\"", "\"from\":{}"));
}

// 6,000 damaged messages: flipped bits, cut, grown, doubled, swapped and missing frames; every second one
// with its checksum made right again. None may crash; those with a wrong checksum may not be believed.
TEST(Wire, DamagedFramesEndInErrors) {
  const auto good = frames_of(*encode(sample(), kNow));
  std::mt19937_64 random(20'261'124);
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(random() % n); };
  int believed = 0, refused = 0;
  std::uint64_t checksum = 0;
  for (int round = 0; round < 6000; ++round) {
    auto frames = good;
    for (std::size_t n = 1 + below(3); n > 0 && !frames.empty(); --n) {
      Bytes& frame = frames[below(frames.size())];
      switch (below(7)) {
        case 0:
        case 1:
          if (!frame.empty()) frame[below(frame.size())] ^= static_cast<std::byte>(1u << below(8));
          break;
        case 2:
          frame.resize(below(frame.size() + 1));
          break;
        case 3:
          frame.resize(frame.size() + 1 + below(64), std::byte{0x20});
          break;
        case 4:
          frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(below(frames.size())));
          break;
        case 5:
          frames.push_back(frames[below(frames.size())]);
          break;
        default:
          std::swap(frames[below(frames.size())], frames[below(frames.size())]);
      }
    }
    const bool sealed = round % 2 == 0;
    if (sealed) seal(frames);
    if (frames == good) continue;
    const auto back = decode(received(frames), kNow);
    (void)decode_envelope(received(frames));
    const bool only_tensors = frames.size() > 2 && std::equal(good.begin(), good.begin() + 3, frames.begin());
    if (!sealed && !only_tensors) {
      EXPECT_FALSE(back) << "round " << round;
    }
    ++(back ? believed : refused);
    for (std::size_t t = 0; back && t < back->tensors.size(); ++t) {  // every byte of a lease can be read
      const TensorView& v = back->tensors[t].view;
      unsigned sum = 0;
      for (std::size_t i = 0; v.elements() > 0 && i < v.bytes(); ++i) sum += static_cast<unsigned>(v.data[i]);
      checksum += sum;
    }
  }
  EXPECT_GT(refused, 4000);
  EXPECT_GT(checksum, 0u);
  EXPECT_GT(believed, 0);  // a sealed flip in a text is a legal message
}

}  // namespace
}  // namespace consort::zmq
