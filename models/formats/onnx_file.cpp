#include "models/formats/onnx_file.h"

#include <array>
#include <cstring>
#include <limits>
#include <optional>

#include "memory/base/checked.h"
#include "models/formats/metadata.h"
#include "models/formats/proto_reader.h"

namespace consort {
namespace {

using Wire = ProtoReader::Wire;
using Bytes = std::span<const std::byte>;

constexpr std::size_t kMaxInitialisers = 65536;  // the encoders have about 350; a bound for hostile files

[[noreturn]] void corrupt(std::string what) {
  throw FormatError(ErrorKind::kCorrupt, std::move(what));
}

// TensorProto.DataType.
std::optional<DType> dtype_of_onnx(std::int64_t type) {
  switch (type) {
    case 1:
      return DType::kF32;
    case 2:
      return DType::kU8;
    case 3:
      return DType::kI8;
    case 5:
      return DType::kI16;
    case 6:
      return DType::kI32;
    case 7:
      return DType::kI64;
    case 9:
      return DType::kBool;
    case 10:
      return DType::kF16;
    case 11:
      return DType::kF64;
    case 16:
      return DType::kBF16;
    default:
      return std::nullopt;
  }
}

// The value of an int32_data or int64_data entry as the bytes of `type`; false when it does not fit.
template <typename T>
bool store_as(std::int64_t value, std::byte* to) {
  if (value < static_cast<std::int64_t>(std::numeric_limits<T>::min()) ||
      value > static_cast<std::int64_t>(std::numeric_limits<T>::max()))
    return false;
  const T narrow = static_cast<T>(value);
  std::memcpy(to, &narrow, sizeof(T));
  return true;
}

bool store_integer(DType type, std::int64_t value, std::byte* to) {
  switch (type) {
    case DType::kI8:
      return store_as<std::int8_t>(value, to);
    case DType::kU8:
      return store_as<std::uint8_t>(value, to);
    case DType::kBool:
      return value >= 0 && value <= 1 && store_as<std::uint8_t>(value, to);
    case DType::kI16:
      return store_as<std::int16_t>(value, to);
    case DType::kF16:
    case DType::kBF16:
      return store_as<std::uint16_t>(value, to);
    case DType::kI32:
      return store_as<std::int32_t>(value, to);
    case DType::kI64:
      return store_as<std::int64_t>(value, to);
    default:
      return false;
  }
}

}  // namespace

// A TensorProto, its fields found but its values not yet read.
struct OnnxFile::Initialiser {
  std::string_view name;
  std::vector<std::int64_t> dims;
  std::int64_t data_type = 0;
  std::optional<Bytes> raw;
  std::vector<Bytes> numbers;  // float_data, int32_data, int64_data or double_data: packed runs, in order
  std::vector<std::uint64_t> single;  // the same written one number a field (old writers)
  std::uint64_t numbers_field = 0;    // which of them
  bool external = false;

  explicit Initialiser(Bytes message) {
    ProtoReader reader(message);
    while (reader.next()) take(reader);
  }

 private:
  void take(ProtoReader& reader) {
    switch (reader.field()) {
      case 1:
        return take_dims(reader);
      case 2:
        data_type = reader.wire() == Wire::kVarint ? reader.integer() : 0;
        return;
      case 4:   // float_data
      case 5:   // int32_data
      case 7:   // int64_data
      case 10:  // double_data
        return take_numbers(reader);
      case 8:
        name = reader.text();
        return;
      case 9:
        if (raw) corrupt("a tensor has two values");
        if (reader.wire() != Wire::kBytes) corrupt("raw_data is not a byte string");
        raw = reader.bytes();
        return;
      case 13:
        external = true;
        return;
      case 14:
        external = external || reader.number() != 0;
        return;
      default:
        return;
    }
  }
  void take_dims(ProtoReader& reader) {
    if (reader.wire() == Wire::kVarint) dims.push_back(reader.integer());
    ProtoReader packed(reader.bytes());
    while (!packed.at_end() && dims.size() <= kMaxRank)
      dims.push_back(static_cast<std::int64_t>(packed.varint()));
    if (dims.size() > kMaxRank)
      throw FormatError(ErrorKind::kUnsupported, "a tensor has more than four dimensions");
  }
  void take_numbers(ProtoReader& reader) {
    if (numbers_field != 0 && numbers_field != reader.field()) corrupt("a tensor has two kinds of values");
    numbers_field = reader.field();
    if (reader.wire() == Wire::kBytes)
      numbers.push_back(reader.bytes());
    else
      single.push_back(reader.number());
    if (!numbers.empty() && !single.empty()) corrupt("a tensor has values in two encodings");
  }
};

OnnxFile::OnnxFile(const std::string& path) {
  auto file = MappedFile::open(path);
  if (!file) throw FormatError(std::move(file.error()));
  file_ = std::move(*file);
  try {
    parse();
  } catch (FormatError& e) {
    e.error.where = e.error.where.empty() ? path : path + ", " + e.error.where;
    throw;
  }
}

void OnnxFile::parse() {
  if (file_.size() == 0) corrupt("the file is empty");
  ProtoReader reader(file_.bytes());
  bool graph = false;
  const auto text = [&](const char* key) {
    metadata_.emplace_back(key, MetaValue{printable(reader.text())});
  };
  while (reader.next()) {
    switch (reader.field()) {
      case 1:
        metadata_.emplace_back("onnx.ir_version", MetaValue{reader.integer()});
        break;
      case 2:
        text("onnx.producer_name");
        break;
      case 3:
        text("onnx.producer_version");
        break;
      case 7:
        if (graph || reader.wire() != Wire::kBytes) corrupt("the file has no single graph");
        graph = true;
        parse_graph(reader.bytes());
        break;
      case 8: {  // opset_import: the default domain's version
        ProtoReader opset(reader.bytes());
        std::string_view domain;
        std::int64_t version = 0;
        while (opset.next()) {
          if (opset.field() == 1) domain = opset.text();
          if (opset.field() == 2) version = opset.integer();
        }
        if (domain.empty()) metadata_.emplace_back("onnx.opset", MetaValue{version});
        break;
      }
      case 14: {  // metadata_props
        ProtoReader property(reader.bytes());
        std::string_view key, value;
        while (property.next()) {
          if (property.field() == 1) key = property.text();
          if (property.field() == 2) value = property.text();
        }
        if (!key.empty()) metadata_.emplace_back(printable(key), MetaValue{std::string(value)});
        break;
      }
      default:
        break;
    }
    if (metadata_.size() > kMaxInitialisers) corrupt("too many metadata entries");
  }
  if (!graph) corrupt("not an ONNX model: it has no graph");
}

void OnnxFile::parse_graph(Bytes message) {
  ProtoReader reader(message);
  NameIndex seen;
  while (reader.next()) {
    if (reader.field() == 15) throw FormatError(ErrorKind::kUnsupported, "the file has sparse initialisers");
    if (reader.field() != 5) continue;
    if (reader.wire() != Wire::kBytes) corrupt("an initialiser is not a message");
    if (tensors_.size() >= kMaxInitialisers) corrupt("too many initialisers");
    add(reader.bytes());
    if (!seen.emplace(tensors_.back().name, 0).second)
      throw FormatError(ErrorKind::kCorrupt, "two tensors have the same name",
                        "tensor " + printable(tensors_.back().name));
  }
}

void OnnxFile::add(Bytes message) {
  std::string name;
  try {
    const Initialiser tensor(message);
    name = printable(tensor.name);
    if (tensor.name.empty()) corrupt("an initialiser has no name");
    if (tensor.external)
      throw FormatError(ErrorKind::kUnsupported, "the values lie in another file", "",
                        "save the model with its weights inside");
    const auto type = dtype_of_onnx(tensor.data_type);
    if (!type)
      throw FormatError(ErrorKind::kUnsupported,
                        "ONNX element type " + std::to_string(tensor.data_type) + " is not known");
    const auto bytes = tensor_bytes(*type, tensor.dims);
    if (!bytes) corrupt("the dims are negative or too large");
    const std::size_t elements = *bytes / dtype_info(*type).bytes;
    tensors_.push_back(
        {std::string(tensor.name), contiguous_view(values(tensor, elements), *type, tensor.dims)});
  } catch (FormatError& e) {
    if (e.error.where.empty() && !name.empty()) e.error.where = "tensor " + name;
    throw;
  }
}

std::byte* OnnxFile::own(std::size_t bytes) {
  copies_.emplace_back(bytes / sizeof(double) + 1);
  return reinterpret_cast<std::byte*>(copies_.back().data());
}

const std::byte* OnnxFile::values(const Initialiser& tensor, std::size_t elements) {
  const DType type = *dtype_of_onnx(tensor.data_type);
  const std::size_t width = dtype_info(type).bytes;
  if (tensor.raw) {
    if (tensor.numbers_field != 0) corrupt("a tensor has two values");
    if (tensor.raw->size() != elements * width)
      corrupt("raw_data does not have as many bytes as the dims say");
    if (reinterpret_cast<std::uintptr_t>(tensor.raw->data()) % width == 0) return tensor.raw->data();
    std::byte* copy = own(tensor.raw->size());
    if (elements > 0) std::memcpy(copy, tensor.raw->data(), tensor.raw->size());
    return copy;
  }
  const bool fixed = tensor.numbers_field == 4 || tensor.numbers_field == 10;
  if ((tensor.numbers_field == 4) != (type == DType::kF32 && tensor.numbers_field != 0) ||
      (tensor.numbers_field == 10) != (type == DType::kF64 && tensor.numbers_field != 0) ||
      (tensor.numbers_field == 7) != (type == DType::kI64 && tensor.numbers_field != 0))
    corrupt("the values stand in a field for another element type");
  // Every number takes at least a byte of the file: the room asked for is bounded before it is taken.
  std::size_t written = tensor.single.size();
  for (const Bytes& run : tensor.numbers) written += fixed ? run.size() / width : run.size();
  if (elements > written) corrupt("fewer values than the dims say");
  std::byte* copy = own(elements * width);
  std::size_t at = 0;
  const auto put_integer = [&](std::uint64_t bits) {
    if (at == elements || !store_integer(type, static_cast<std::int64_t>(bits), copy + at++ * width))
      corrupt("more values than the dims say, or one outside its type");
  };
  for (const Bytes& run : tensor.numbers) {
    if (fixed) {
      if (run.size() % width != 0 || run.size() / width > elements - at)
        corrupt("the values do not fit the dims");
      if (!run.empty()) std::memcpy(copy + at * width, run.data(), run.size());
      at += run.size() / width;
      continue;
    }
    ProtoReader reader(run);
    while (!reader.at_end()) put_integer(reader.varint());
  }
  for (const std::uint64_t bits : tensor.single) {
    if (!fixed) {
      put_integer(bits);
    } else if (at < elements) {
      std::memcpy(copy + at++ * width, &bits, width);
    } else {
      corrupt("more values than the dims say");
    }
  }
  if (at != elements) corrupt("fewer values than the dims say");
  return copy;
}

}  // namespace consort
