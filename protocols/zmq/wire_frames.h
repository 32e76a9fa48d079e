// Messages as bytes between processes, pure: [preamble 32 B] [header, JSON] [body, JSON] [tensor]*.
// Little-endian. Preamble: magic u32, version u8, type u8, flags u16, header bytes u32, body bytes u32,
// tensors u32, sequence u64, crc32c u32 (over the 28 bytes before it, header and body). Header keys: id,
// corr, run, task, from, to, attempt, credits, ttl_us (time left, not a clock), tensors [{name, dtype,
// shape}].
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/bus/message.h"

namespace consort::zmq {

inline constexpr std::size_t kPreambleBytes = 32;
inline constexpr std::size_t kMaxHeaderBytes = 64u << 10;
inline constexpr std::size_t kMaxBodyBytes = 64u << 20;
inline constexpr std::size_t kMaxTensorBytes = 64u << 20;  // one frame; below the sockets' limit
inline constexpr std::size_t kMaxTensors = 64;
inline constexpr std::uint32_t kMaxHeaderDepth = 16;
inline constexpr std::uint32_t kMaxBodyDepth = 128;

struct EncodedMessage {
  std::array<std::byte, kPreambleBytes> preamble;
  std::string header, body;
  std::vector<TensorLease> tensors;  // their bytes follow as frames, unchanged
};

// Errors: kInvalid for what the format cannot carry (too large or too deep, tensors that are not contiguous
// host memory or of a block format); kTimeout when the deadline has passed.
Result<EncodedMessage> encode(const Message& message, SteadyTime now);

// Frames as received; `owner` keeps the bytes alive and becomes the owner of tensors.
struct WireFrame {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};
using WireFrames = std::vector<WireFrame>;

// Trusts nothing. Tensors are views into the frames (copied where the element type needs another alignment).
// Errors: kCorrupt (magic, checksum, lengths, JSON, unknown keys), kUnsupported (version, type).
Result<Message> decode(const WireFrames& frames, SteadyTime now);
// Only who and what for, when the rest is damaged: id, corr, from, to, type. Errors as above.
Result<Message> decode_envelope(const WireFrames& frames);

}  // namespace consort::zmq
