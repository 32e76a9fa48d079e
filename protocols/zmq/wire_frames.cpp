#include "protocols/zmq/wire_frames.h"

#include <cstring>
#include <optional>
#include <string_view>

#include "protocols/zmq/crc32c.h"

namespace consort::zmq {
namespace {

constexpr std::uint32_t kMagic = 0x53554243;  // "CBUS"
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kChecksumAt = 28;
constexpr std::int64_t kMaxTtlMicroseconds = 366ll * 24 * 3600 * 1000000;  // a year: more is no deadline

constexpr DType kWireTypes[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kF64, DType::kI8,
                                DType::kU8,  DType::kI16, DType::kI32,  DType::kI64, DType::kBool};

struct Preamble {
  std::uint32_t magic = kMagic;
  std::uint8_t version = kVersion, type = 0;
  std::uint16_t flags = 0;
  std::uint32_t header_bytes = 0, body_bytes = 0, tensors = 0;
  std::uint64_t sequence = 0;
};

template <typename T>
void put(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}
template <typename T>
T get(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::array<std::byte, kPreambleBytes> write_preamble(const Preamble& p, std::string_view header,
                                                     std::string_view body) {
  std::array<std::byte, kPreambleBytes> out;
  put(&out[0], p.magic);
  put(&out[4], p.version);
  put(&out[5], p.type);
  put(&out[6], p.flags);
  put(&out[8], p.header_bytes);
  put(&out[12], p.body_bytes);
  put(&out[16], p.tensors);
  put(&out[20], p.sequence);
  std::uint32_t crc = crc32c({out.data(), kChecksumAt});
  crc = crc32c(std::as_bytes(std::span(header)), crc);
  crc = crc32c(std::as_bytes(std::span(body)), crc);
  put(&out[kChecksumAt], crc);
  return out;
}

tl::unexpected<Error> corrupt(std::string what) {
  return fail(ErrorKind::kCorrupt, std::move(what), "bus frame");
}

bool is_contiguous(const TensorView& view) {
  std::int64_t stride = 1;
  for (int i = view.rank - 1; i >= 0; --i) {
    const auto at = static_cast<std::size_t>(i);
    if (view.dims[at] != 1 && view.strides[at] != stride) return false;
    stride *= view.dims[at];
  }
  return true;
}

Result<Value> tensor_header(const TensorLease& lease) {
  const TensorView& view = lease.view;
  const std::string where = "tensor " + lease.name;
  if (is_block_format(view.dtype) || view.device.kind != DeviceKind::kCpu || !is_contiguous(view))
    return fail(ErrorKind::kInvalid, "only contiguous plain numbers in host memory travel between processes",
                where);
  if (view.bytes() > kMaxTensorBytes)
    return fail(ErrorKind::kInvalid, "the tensor is too large for a frame", where);
  Value::Array shape;
  for (int i = 0; i < view.rank; ++i) shape.emplace_back(view.dims[static_cast<std::size_t>(i)]);
  return Value::object(
      {{"name", lease.name}, {"dtype", dtype_name(view.dtype)}, {"shape", Value::array(std::move(shape))}});
}

Result<Preamble> read_preamble(const WireFrames& frames) {
  if (frames.size() < 3 || frames[0].bytes.size() != kPreambleBytes)
    return corrupt("not a message of the bus");
  const std::byte* at = frames[0].bytes.data();
  Preamble p;
  p.magic = get<std::uint32_t>(at);
  p.version = get<std::uint8_t>(at + 4);
  p.type = get<std::uint8_t>(at + 5);
  p.flags = get<std::uint16_t>(at + 6);
  p.header_bytes = get<std::uint32_t>(at + 8);
  p.body_bytes = get<std::uint32_t>(at + 12);
  p.tensors = get<std::uint32_t>(at + 16);
  p.sequence = get<std::uint64_t>(at + 20);
  if (p.magic != kMagic) return corrupt("not a message of the bus");
  if (p.version != kVersion)
    return fail(ErrorKind::kUnsupported, "bus version " + std::to_string(p.version) + " is not spoken here");
  if (p.header_bytes != frames[1].bytes.size() || p.body_bytes != frames[2].bytes.size() ||
      p.header_bytes > kMaxHeaderBytes || p.body_bytes > kMaxBodyBytes || p.tensors > kMaxTensors ||
      frames.size() != 3 + p.tensors || p.flags != 0)
    return corrupt("the frames' lengths or their number differ from the preamble");
  std::uint32_t crc = crc32c({at, kChecksumAt});
  crc = crc32c(frames[1].bytes, crc);
  crc = crc32c(frames[2].bytes, crc);
  if (crc != get<std::uint32_t>(at + kChecksumAt)) return corrupt("the checksum differs");
  if (p.type < static_cast<std::uint8_t>(MessageType::kHello) ||
      p.type > static_cast<std::uint8_t>(MessageType::kGoodbye))
    return fail(ErrorKind::kUnsupported, "message type " + std::to_string(p.type) + " is not known here");
  return p;
}

Result<Value> read_json(const WireFrame& frame, std::uint32_t max_depth) {
  const std::string_view text(reinterpret_cast<const char*>(frame.bytes.data()), frame.bytes.size());
  CONSORT_TRY(value, parse_json(text, "bus frame"));
  if (value.depth() > max_depth) return corrupt("the JSON is nested too deeply");
  return value;
}

// A non-negative integer of at most `limit`.
std::optional<std::int64_t> natural(const Value& v, std::int64_t limit) {
  if (!v.is_integer() || v.as_integer() < 0 || v.as_integer() > limit) return std::nullopt;
  return v.as_integer();
}

Result<TensorLease> read_tensor(const Value& header, const WireFrame& frame) {
  TensorLease lease;
  const Value name = header.get("name"), dtype = header.get("dtype"), shape = header.get("shape");
  if (!header.is_object() || header.size() != 3 || !name.is_string() || !dtype.is_string() ||
      !shape.is_array() || shape.size() > kMaxRank)
    return corrupt("a tensor's description is malformed");
  std::optional<DType> type;
  for (const DType known : kWireTypes)
    if (dtype_name(known) == dtype.as_string()) type = known;
  if (!type) return fail(ErrorKind::kUnsupported, "a tensor has an unknown element type", "bus frame");
  std::vector<std::int64_t> dims;
  std::uint64_t bytes = dtype_info(*type).bytes;
  for (const Value& item : shape.as_array()) {
    const auto dim = natural(item, kMaxTensorBytes);
    if (!dim || __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(*dim), &bytes))
      return corrupt("a tensor's shape is malformed");
    dims.push_back(*dim);
  }
  if (bytes != frame.bytes.size()) return corrupt("a tensor's bytes differ from its shape");
  const std::byte* data = frame.bytes.data();
  lease.owner = frame.owner;
  if (reinterpret_cast<std::uintptr_t>(data) % dtype_info(*type).bytes != 0) {
    auto copy = std::make_shared<std::vector<double>>((bytes + sizeof(double) - 1) / sizeof(double));
    std::memcpy(copy->data(), data, bytes);
    data = reinterpret_cast<const std::byte*>(copy->data());
    lease.owner = std::move(copy);
  }
  lease.name = name.as_string();
  lease.view = make_view(const_cast<std::byte*>(data), *type, dims);
  return lease;
}

// Fills the message from the header; returns the tensors' descriptions.
Result<Value> read_header(const Value& header, SteadyTime now, Message& m) {
  if (!header.is_object()) return corrupt("the header is not an object");
  Value tensors = Value::array();
  for (const auto& [key, value] : header.as_object()) {
    std::string* text = key == "id"     ? &m.id
                        : key == "corr" ? &m.correlation
                        : key == "run"  ? &m.run
                        : key == "task" ? &m.task
                        : key == "from" ? &m.from
                        : key == "to"   ? &m.to
                                        : nullptr;
    if (text) {
      if (!value.is_string()) return corrupt("a header text is not a string");
      *text = value.as_string();
    } else if (key == "attempt" || key == "credits") {
      const auto number = natural(value, UINT32_MAX);
      if (!number) return corrupt("a header number is out of range");
      (key == "attempt" ? m.attempt : m.credits) = static_cast<std::uint32_t>(*number);
    } else if (key == "ttl_us") {
      const auto left = natural(value, kMaxTtlMicroseconds);
      if (!left) return corrupt("the time left is out of range");
      m.deadline = now + std::chrono::microseconds(*left);
    } else if (key == "tensors" && value.is_array()) {
      tensors = value;
    } else {
      return corrupt("the header has an unknown key");
    }
  }
  return tensors;
}

}  // namespace

Result<EncodedMessage> encode(const Message& message, SteadyTime now) {
  EncodedMessage encoded;
  if (message.tensors.size() > kMaxTensors)
    return fail(ErrorKind::kInvalid, "the message has too many tensors");
  if (message.body.depth() > kMaxBodyDepth)
    return fail(ErrorKind::kInvalid, "the message is nested too deeply for the bus");
  Value::Object header{{"id", message.id}, {"from", message.from}, {"to", message.to}};
  if (!message.correlation.empty()) header.emplace_back("corr", message.correlation);
  if (!message.run.empty()) header.emplace_back("run", message.run);
  if (!message.task.empty()) header.emplace_back("task", message.task);
  header.emplace_back("attempt", message.attempt);
  if (message.credits) header.emplace_back("credits", message.credits);
  if (message.deadline != kNoDeadline) {
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(message.deadline - now).count();
    if (left < 0) return fail(ErrorKind::kTimeout, "the deadline passed on the way", message.to);
    if (left <= kMaxTtlMicroseconds) header.emplace_back("ttl_us", static_cast<std::int64_t>(left));
  }
  Value::Array tensors;
  for (const auto& lease : message.tensors) {
    CONSORT_TRY(described, tensor_header(lease));
    tensors.push_back(std::move(described));
  }
  if (!tensors.empty()) header.emplace_back("tensors", Value::array(std::move(tensors)));
  encoded.header = write_json(Value::object(std::move(header)));
  encoded.body = write_json(message.body);
  if (encoded.header.size() > kMaxHeaderBytes || encoded.body.size() > kMaxBodyBytes)
    return fail(ErrorKind::kInvalid, "the message is too large for the bus", message.to,
                "send large data as tensors or in parts");
  Preamble preamble;
  preamble.type = static_cast<std::uint8_t>(message.type);
  preamble.header_bytes = static_cast<std::uint32_t>(encoded.header.size());
  preamble.body_bytes = static_cast<std::uint32_t>(encoded.body.size());
  preamble.tensors = static_cast<std::uint32_t>(message.tensors.size());
  preamble.sequence = message.sequence;
  encoded.preamble = write_preamble(preamble, encoded.header, encoded.body);
  encoded.tensors = message.tensors;
  return encoded;
}

Result<Message> decode_envelope(const WireFrames& frames) {
  CONSORT_TRY(preamble, read_preamble(frames));
  CONSORT_TRY(header, read_json(frames[1], kMaxHeaderDepth));
  Message m;
  m.type = static_cast<MessageType>(preamble.type);
  m.sequence = preamble.sequence;
  CONSORT_CHECK_OK(read_header(header, SteadyTime{}, m));
  m.deadline = kNoDeadline;
  return m;
}

Result<Message> decode(const WireFrames& frames, SteadyTime now) {
  CONSORT_TRY(preamble, read_preamble(frames));
  Message m;
  m.type = static_cast<MessageType>(preamble.type);
  m.sequence = preamble.sequence;
  auto header = read_json(frames[1], kMaxHeaderDepth);
  if (!header) return corrupt(header.error().what);
  CONSORT_TRY(tensors, read_header(*header, now, m));
  auto body = read_json(frames[2], kMaxBodyDepth);
  if (!body) return corrupt(body.error().what);
  m.body = std::move(*body);
  if (tensors.size() != preamble.tensors)
    return corrupt("the tensors' descriptions are not as many as their frames");
  for (std::size_t i = 0; i < preamble.tensors; ++i) {
    CONSORT_TRY(lease, read_tensor(tensors.as_array()[i], frames[3 + i]));
    m.tensors.push_back(std::move(lease));
  }
  return m;
}

}  // namespace consort::zmq
