#include "models/formats/safetensors_file.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/formats/byte_reader.h"
#include "models/formats/json_check.h"
#include "models/formats/metadata.h"
#include "models/formats/safetensors.h"

namespace consort {
namespace {

using nlohmann::json;

struct HeaderEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> dims;
  std::uint64_t begin = 0, end = 0;
};

std::optional<DType> dtype_of_safetensors(std::string_view name) {
  if (name == "F32") return DType::kF32;
  if (name == "F16") return DType::kF16;
  if (name == "BF16") return DType::kBF16;
  if (name == "F64") return DType::kF64;
  if (name == "I8") return DType::kI8;
  if (name == "U8") return DType::kU8;
  if (name == "I16") return DType::kI16;
  if (name == "I32") return DType::kI32;
  if (name == "I64") return DType::kI64;
  if (name == "BOOL") return DType::kBool;
  return std::nullopt;
}

const json& member(const json& object, const char* key, const std::string& where) {
  const auto it = object.find(key);
  if (it == object.end())
    throw FormatError(ErrorKind::kCorrupt, std::string("a tensor has no ") + key, where);
  return *it;
}

std::uint64_t unsigned_of(const json& value, const char* what, const std::string& where) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
    throw FormatError(ErrorKind::kCorrupt, std::string(what) + " is not a natural number", where);
  return value.get<std::uint64_t>();
}

HeaderEntry header_entry(const std::string& name, const json& value) {
  HeaderEntry entry;
  entry.name = name;
  const std::string where = "tensor " + name;
  if (!value.is_object()) throw FormatError(ErrorKind::kCorrupt, "a header entry is not an object", where);
  for (const auto& [key, unused] : value.items())
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      throw FormatError(ErrorKind::kCorrupt, "a header entry has the unknown key '" + key + "'", where);
  const json& dtype = member(value, "dtype", where);
  if (!dtype.is_string()) throw FormatError(ErrorKind::kCorrupt, "dtype is not a string", where);
  const auto known = dtype_of_safetensors(dtype.get_ref<const std::string&>());
  if (!known)
    throw FormatError(ErrorKind::kUnsupported,
                      "element type " + dtype.get<std::string>() + " is not supported", where,
                      "use F32, F16, BF16, F64, I8, U8, I16, I32, I64 or BOOL");
  entry.dtype = *known;
  const json& shape = member(value, "shape", where);
  if (!shape.is_array()) throw FormatError(ErrorKind::kCorrupt, "shape is not an array", where);
  if (shape.size() > kMaxRank)
    throw FormatError(ErrorKind::kUnsupported, "a tensor has " + std::to_string(shape.size()) + " dimensions",
                      where, "at most " + std::to_string(kMaxRank) + " are supported");
  std::uint64_t bytes = dtype_info(entry.dtype).bytes, unpadded = bytes;
  for (const json& item : shape) {
    const std::uint64_t dim = unsigned_of(item, "a dimension", where);
    // A zero dimension must not hide an overflow of the others: strides are products of them.
    if (!checked_multiply(bytes, dim, bytes) || !checked_multiply(unpadded, dim ? dim : 1, unpadded) ||
        unpadded > static_cast<std::uint64_t>(INT64_MAX))
      throw FormatError(ErrorKind::kCorrupt, "a tensor's size overflows", where);
    entry.dims.push_back(static_cast<std::int64_t>(dim));
  }
  const json& offsets = member(value, "data_offsets", where);
  if (!offsets.is_array() || offsets.size() != 2)
    throw FormatError(ErrorKind::kCorrupt, "data_offsets is not a pair", where);
  entry.begin = unsigned_of(offsets[0], "an offset", where);
  entry.end = unsigned_of(offsets[1], "an offset", where);
  if (entry.end < entry.begin || entry.end - entry.begin != bytes)
    throw FormatError(ErrorKind::kCorrupt, "data_offsets do not match dtype and shape", where);
  return entry;
}

std::vector<std::pair<std::string, std::string>> metadata_of(const json& value) {
  std::vector<std::pair<std::string, std::string>> metadata;
  if (!value.is_object()) throw FormatError(ErrorKind::kCorrupt, "__metadata__ is not an object");
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) throw FormatError(ErrorKind::kCorrupt, "__metadata__ holds more than strings");
    metadata.emplace_back(key, text.get<std::string>());
  }
  return metadata;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) {
  auto file = MappedFile::open(path);
  if (!file) throw FormatError(std::move(file.error()));
  file_ = std::move(*file);
  try {
    parse();
  } catch (FormatError& e) {
    e.error.where = e.error.where.empty() ? path : path + ", " + printable(e.error.where);
    throw;
  }
}

void SafetensorsFile::parse() {
  ByteReader reader(file_.bytes());
  const auto header_bytes = reader.number<std::uint64_t>("the header length");
  if (header_bytes > kMaxSafetensorsHeader)
    throw FormatError(ErrorKind::kCorrupt, "the header is " + std::to_string(header_bytes) + " bytes long");
  const std::string_view text = reader.text(header_bytes, "the header");
  if (text.empty() || text.front() != '{')
    throw FormatError(ErrorKind::kCorrupt, "not a safetensors file (the header is not a JSON object)");
  check_json(text, 4, "the header");  // object, tensor, shape: three levels
  const json header = json::parse(text.begin(), text.end());
  std::vector<HeaderEntry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__")
      metadata_ = metadata_of(value);
    else
      entries.push_back(header_entry(name, value));
  }
  std::stable_sort(entries.begin(), entries.end(), [](const HeaderEntry& a, const HeaderEntry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t position = 0;
  for (const auto& entry : entries) {
    if (entry.begin != position)
      throw FormatError(ErrorKind::kCorrupt, "the data has a gap or an overlap", "tensor " + entry.name);
    if (entry.end > reader.remaining())
      throw FormatError(ErrorKind::kCorrupt, "a tensor reaches past the end of the file",
                        "tensor " + entry.name, "the file is truncated: get it again");
    position = entry.end;
  }
  if (position != reader.remaining())
    throw FormatError(ErrorKind::kCorrupt, "bytes after the last tensor belong to nobody");
  const std::byte* data = file_.bytes().data() + reader.position();
  for (const auto& entry : entries) {
    const std::byte* bytes =
        aligned(data + entry.begin, entry.end - entry.begin, dtype_info(entry.dtype).bytes);
    tensors_.push_back({entry.name, contiguous_view(bytes, entry.dtype, entry.dims)});
  }
}

const std::byte* SafetensorsFile::aligned(const std::byte* data, std::size_t bytes, std::size_t alignment) {
  if (reinterpret_cast<std::uintptr_t>(data) % alignment == 0) return data;
  std::vector<double> copy((bytes + sizeof(double) - 1) / sizeof(double));
  std::memcpy(copy.data(), data, bytes);
  copies_.push_back(std::move(copy));
  return reinterpret_cast<const std::byte*>(copies_.back().data());
}

}  // namespace consort
