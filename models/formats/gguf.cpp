#include "models/formats/gguf.h"

#include <algorithm>
#include <array>
#include <new>
#include <type_traits>

#include "models/formats/byte_reader.h"
#include "models/formats/mapped_file.h"
#include "models/formats/metadata.h"

namespace consort {
namespace {

// Metadata value types of the GGUF specification.
enum MetaType : std::uint32_t {
  kMetaU8,
  kMetaI8,
  kMetaU16,
  kMetaI16,
  kMetaU32,
  kMetaI32,
  kMetaF32,
  kMetaBool,
  kMetaString,
  kMetaArray,
  kMetaU64,
  kMetaI64,
  kMetaF64,
};
constexpr std::uint64_t kDefaultAlignment = 32;      // specification: general.alignment is absent
constexpr std::uint64_t kMaxAlignment = 1u << 30;    // nothing real is above a huge page
constexpr std::uint64_t kMaxKeyBytes = 65535;        // specification: keys are at most 2^16 - 1 bytes
constexpr std::uint64_t kMaxTensorNameBytes = 4096;  // specification says 64; real files go beyond
constexpr std::uint32_t kMaxGgufRank = 4;

class GgufSource final : public WeightSource {
 public:
  explicit GgufSource(MappedFile file) : file_(std::move(file)) { parse(); }

  std::string format() const override { return "gguf v" + std::to_string(version_); }
  std::string location() const override { return file_.path(); }
  std::string architecture() const override { return text("general.architecture").value_or(""); }
  const MetaValue* meta(std::string_view key) const override { return metadata_.find(key); }
  std::vector<std::string> meta_keys() const override { return metadata_.keys(); }
  const TensorEntry* find(std::string_view name) const override { return tensors_.find(name); }
  const std::vector<TensorEntry>& tensors() const override { return tensors_.entries(); }
  std::size_t mapped_bytes() const override { return file_.size(); }
  std::vector<FileIdentity> identities() const override { return {file_.identity()}; }

 private:
  struct Extent {
    std::uint64_t offset, bytes;
    std::size_t tensor;
  };
  struct TensorInfo {
    std::string name;
    DType dtype;
    std::vector<std::int64_t> dims;  // row-major
    std::uint64_t offset = 0, bytes = 0;
  };

  void parse();
  void parse_metadata(ByteReader& reader, std::uint64_t count);
  TensorInfo parse_tensor_info(ByteReader& reader);
  void place_tensors(std::vector<TensorInfo> infos, std::uint64_t data_start);

  MappedFile file_;
  std::uint32_t version_ = 0;
  Metadata metadata_;
  TensorTable tensors_;
};

template <typename T>
void set_number(MetaValue& value, T number) {
  if constexpr (std::is_floating_point_v<T>) {
    value.value = static_cast<double>(number);
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    if (number > static_cast<std::uint64_t>(INT64_MAX))
      value.value = static_cast<double>(number);  // beyond int64: keeps its magnitude as a number
    else
      value.value = static_cast<std::int64_t>(number);
  } else {
    value.value = static_cast<std::int64_t>(number);
  }
}

template <typename T>
MetaValue::Array number_array(ByteReader& reader, std::uint64_t count) {
  reader.need(count, sizeof(T), "a metadata array");
  using Item = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
  std::vector<Item> items;
  items.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const T number = reader.number<T>("a metadata array");
    if constexpr (std::is_same_v<T, std::uint64_t>) {
      if (number > static_cast<std::uint64_t>(INT64_MAX))
        throw FormatError(ErrorKind::kUnsupported, "a metadata array holds an integer beyond 2^63 - 1");
    }
    items.push_back(static_cast<Item>(number));
  }
  return items;
}

std::string read_string(ByteReader& reader, std::uint64_t limit, const char* what) {
  const auto length = reader.number<std::uint64_t>(what);
  if (length > limit)
    throw FormatError(ErrorKind::kCorrupt,
                      std::string(what) + " is " + std::to_string(length) + " bytes long");
  return std::string(reader.text(length, what));
}

bool read_bool(ByteReader& reader) {
  const auto byte = reader.number<std::uint8_t>("a boolean");
  if (byte > 1) throw FormatError(ErrorKind::kCorrupt, "a boolean is neither 0 nor 1");
  return byte == 1;
}

MetaValue::Array read_array(ByteReader& reader) {
  const auto type = reader.number<std::uint32_t>("an array's type");
  const auto count = reader.number<std::uint64_t>("an array's length");
  switch (type) {
    case kMetaU8:
      return number_array<std::uint8_t>(reader, count);
    case kMetaI8:
      return number_array<std::int8_t>(reader, count);
    case kMetaU16:
      return number_array<std::uint16_t>(reader, count);
    case kMetaI16:
      return number_array<std::int16_t>(reader, count);
    case kMetaU32:
      return number_array<std::uint32_t>(reader, count);
    case kMetaI32:
      return number_array<std::int32_t>(reader, count);
    case kMetaU64:
      return number_array<std::uint64_t>(reader, count);
    case kMetaI64:
      return number_array<std::int64_t>(reader, count);
    case kMetaF32:
      return number_array<float>(reader, count);
    case kMetaF64:
      return number_array<double>(reader, count);
    case kMetaBool: {
      reader.need(count, 1, "a metadata array");
      std::vector<bool> items(count);
      for (std::uint64_t i = 0; i < count; ++i) items[i] = read_bool(reader);
      return items;
    }
    case kMetaString: {
      reader.need(count, sizeof(std::uint64_t), "a metadata array");
      std::vector<std::string> items;
      items.reserve(count);
      for (std::uint64_t i = 0; i < count; ++i) {
        const auto length = reader.number<std::uint64_t>("a string");
        items.emplace_back(reader.text(length, "a string"));
      }
      return items;
    }
    case kMetaArray:
      throw FormatError(ErrorKind::kUnsupported, "a metadata array holds arrays");
    default:
      throw FormatError(ErrorKind::kCorrupt, "a metadata array has the unknown type " + std::to_string(type));
  }
}

MetaValue read_value(ByteReader& reader, std::uint32_t type) {
  MetaValue value;
  switch (type) {
    case kMetaU8:
      set_number(value, reader.number<std::uint8_t>("a value"));
      break;
    case kMetaI8:
      set_number(value, reader.number<std::int8_t>("a value"));
      break;
    case kMetaU16:
      set_number(value, reader.number<std::uint16_t>("a value"));
      break;
    case kMetaI16:
      set_number(value, reader.number<std::int16_t>("a value"));
      break;
    case kMetaU32:
      set_number(value, reader.number<std::uint32_t>("a value"));
      break;
    case kMetaI32:
      set_number(value, reader.number<std::int32_t>("a value"));
      break;
    case kMetaU64:
      set_number(value, reader.number<std::uint64_t>("a value"));
      break;
    case kMetaI64:
      set_number(value, reader.number<std::int64_t>("a value"));
      break;
    case kMetaF32:
      set_number(value, reader.number<float>("a value"));
      break;
    case kMetaF64:
      set_number(value, reader.number<double>("a value"));
      break;
    case kMetaBool:
      value.value = read_bool(reader);
      break;
    case kMetaString:
      value.value = read_string(reader, UINT64_MAX, "a string");
      break;
    case kMetaArray:
      value.value = read_array(reader);
      break;
    default:
      throw FormatError(ErrorKind::kCorrupt, "metadata has the unknown type " + std::to_string(type));
  }
  return value;
}

void GgufSource::parse_metadata(ByteReader& reader, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string key = read_string(reader, kMaxKeyBytes, "a metadata key");
    if (key.empty()) throw FormatError(ErrorKind::kCorrupt, "a metadata key is empty");
    const auto type = reader.number<std::uint32_t>("a metadata type");
    try {
      if (!metadata_.add(key, read_value(reader, type)))
        throw FormatError(ErrorKind::kCorrupt, "a metadata key stands twice");
    } catch (FormatError& e) {
      e.error.where = "key " + key;
      throw;
    }
  }
}

GgufSource::TensorInfo GgufSource::parse_tensor_info(ByteReader& reader) {
  TensorInfo info;
  info.name = read_string(reader, kMaxTensorNameBytes, "a tensor's name");
  const std::string where = "tensor " + info.name;
  if (info.name.empty()) throw FormatError(ErrorKind::kCorrupt, "a tensor has no name");
  const auto rank = reader.number<std::uint32_t>("a tensor's rank");
  if (rank == 0 || rank > kMaxGgufRank)
    throw FormatError(ErrorKind::kCorrupt, "a tensor has " + std::to_string(rank) + " dimensions", where);
  std::uint64_t elements = 1;
  for (std::uint32_t i = 0; i < rank; ++i) {
    const auto dim = reader.number<std::uint64_t>("a tensor's dimension");
    if (dim == 0 || dim > static_cast<std::uint64_t>(INT64_MAX) ||
        !checked_multiply(elements, dim, elements) || elements > static_cast<std::uint64_t>(INT64_MAX))
      throw FormatError(ErrorKind::kCorrupt, "a tensor's dimension is zero or too large", where);
    info.dims.insert(info.dims.begin(), static_cast<std::int64_t>(dim));
  }
  const auto type = reader.number<std::uint32_t>("a tensor's type");
  info.offset = reader.number<std::uint64_t>("a tensor's offset");
  const auto dtype = dtype_of_ggml(type);
  if (!dtype)
    throw FormatError(ErrorKind::kUnsupported, "quantisation " + ggml_type_name(type) + " is not supported",
                      where, "use F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 or Q2_K to Q6_K");
  info.dtype = *dtype;
  const DTypeInfo layout = dtype_info(*dtype);
  if (static_cast<std::uint64_t>(info.dims.back()) % layout.block != 0)
    throw FormatError(ErrorKind::kCorrupt, "a tensor's rows are not whole blocks", where);
  if (!checked_multiply(elements / layout.block, layout.bytes, info.bytes))
    throw FormatError(ErrorKind::kCorrupt, "a tensor's size overflows", where);
  return info;
}

void GgufSource::place_tensors(std::vector<TensorInfo> infos, std::uint64_t data_start) {
  const std::uint64_t data_bytes = file_.size() > data_start ? file_.size() - data_start : 0;
  std::vector<Extent> extents;
  for (auto& info : infos) {
    if (info.offset > data_bytes || info.bytes > data_bytes - info.offset)
      throw FormatError(ErrorKind::kCorrupt, "a tensor reaches past the end of the file",
                        "tensor " + info.name, "the file is truncated: get it again");
    extents.push_back({info.offset, info.bytes, extents.size()});
    TensorEntry entry{
        info.name, contiguous_view(file_.bytes().data() + data_start + info.offset, info.dtype, info.dims)};
    if (!tensors_.add(std::move(entry)))
      throw FormatError(ErrorKind::kCorrupt, "a tensor name stands twice", "tensor " + info.name);
  }
  std::sort(extents.begin(), extents.end(),
            [](const Extent& a, const Extent& b) { return a.offset < b.offset; });
  for (std::size_t i = 1; i < extents.size(); ++i)
    if (extents[i].offset - extents[i - 1].offset < extents[i - 1].bytes)
      throw FormatError(ErrorKind::kCorrupt, "two tensors overlap",
                        "tensor " + infos[extents[i].tensor].name);
}

void GgufSource::parse() {
  ByteReader reader(file_.bytes());
  if (reader.remaining() < 4 || reader.text(4, "the magic") != "GGUF")
    throw FormatError(ErrorKind::kCorrupt, "not a GGUF file (wrong magic)");
  version_ = reader.number<std::uint32_t>("the version");
  if ((version_ & 0xffff) == 0 && version_ != 0)
    throw FormatError(ErrorKind::kUnsupported, "the GGUF file is big-endian");
  if (version_ != 2 && version_ != 3)
    throw FormatError(ErrorKind::kUnsupported,
                      "GGUF version " + std::to_string(version_) + " is not supported", {},
                      "convert the model to version 2 or 3");
  const auto tensor_count = reader.number<std::uint64_t>("the tensor count");
  const auto meta_count = reader.number<std::uint64_t>("the metadata count");
  reader.need(meta_count, 8 + 1 + 4 + 1, "the metadata");  // length, key, type, value
  reader.need(tensor_count, 8 + 1 + 4 + 8 + 4 + 8,
              "the tensor list");  // length, name, rank, dim, type, offset
  parse_metadata(reader, meta_count);
  std::uint64_t alignment = kDefaultAlignment;
  if (metadata_.find("general.alignment")) {
    const auto wanted = integer("general.alignment");
    if (!wanted || *wanted < 8 || static_cast<std::uint64_t>(*wanted) > kMaxAlignment ||
        !std::has_single_bit(static_cast<std::uint64_t>(*wanted)))
      throw FormatError(ErrorKind::kCorrupt, "the alignment is not a power of two from 8",
                        "key general.alignment");
    alignment = static_cast<std::uint64_t>(*wanted);
  }
  std::vector<TensorInfo> infos;
  for (std::uint64_t i = 0; i < tensor_count; ++i) {
    infos.push_back(parse_tensor_info(reader));
    if (infos.back().offset % alignment != 0)
      throw FormatError(ErrorKind::kCorrupt, "a tensor's offset is not aligned",
                        "tensor " + infos.back().name);
  }
  const std::uint64_t data_start = (reader.position() + alignment - 1) / alignment * alignment;
  place_tensors(std::move(infos), data_start);
}

constexpr std::array<const char*, 40> kGgmlTypeNames = {
    "F32",      "F16",      "Q4_0",    "Q4_1",  "Q4_2",       "Q4_3",       "Q5_0",       "Q5_1",
    "Q8_0",     "Q8_1",     "Q2_K",    "Q3_K",  "Q4_K",       "Q5_K",       "Q6_K",       "Q8_K",
    "IQ2_XXS",  "IQ2_XS",   "IQ3_XXS", "IQ1_S", "IQ4_NL",     "IQ3_S",      "IQ2_S",      "IQ4_XS",
    "I8",       "I16",      "I32",     "I64",   "F64",        "IQ1_M",      "BF16",       "Q4_0_4_4",
    "Q4_0_4_8", "Q4_0_8_8", "TQ1_0",   "TQ2_0", "IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8", "MXFP4"};

}  // namespace

std::optional<DType> dtype_of_ggml(std::uint32_t ggml_type) {
  switch (ggml_type) {
    case 0:
      return DType::kF32;
    case 1:
      return DType::kF16;
    case 2:
      return DType::kQ4_0;
    case 3:
      return DType::kQ4_1;
    case 6:
      return DType::kQ5_0;
    case 7:
      return DType::kQ5_1;
    case 8:
      return DType::kQ8_0;
    case 10:
      return DType::kQ2_K;
    case 11:
      return DType::kQ3_K;
    case 12:
      return DType::kQ4_K;
    case 13:
      return DType::kQ5_K;
    case 14:
      return DType::kQ6_K;
    case 30:
      return DType::kBF16;
    default:
      return std::nullopt;
  }
}

std::string ggml_type_name(std::uint32_t ggml_type) {
  return ggml_type < kGgmlTypeNames.size() ? kGgmlTypeNames[ggml_type] : "type " + std::to_string(ggml_type);
}

Result<std::unique_ptr<WeightSource>> open_gguf(const std::string& path) {
  CONSORT_TRY(file, MappedFile::open(path));
  try {
    return std::unique_ptr<WeightSource>(std::make_unique<GgufSource>(std::move(file)));
  } catch (FormatError& e) {
    e.error.where = e.error.where.empty() ? path : path + ", " + printable(e.error.where);
    return tl::unexpected<Error>(std::move(e.error));
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "not enough memory for the file's metadata", path);
  }
}

}  // namespace consort
