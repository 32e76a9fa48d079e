#include "memory/retrieval/item_record.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "memory/store/record.h"

namespace consort {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kTokenVersion = 2;  // of a vector record

std::string_view view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

template <std::size_t N>
std::array<std::uint8_t, N> read_array(RecordReader& reader) {
  std::array<std::uint8_t, N> out{};
  const auto bytes = reader.raw(N);
  if (bytes.size() == N) std::memcpy(out.data(), bytes.data(), N);
  return out;
}

Status check_version(RecordReader& reader, std::string_view what) {
  const auto version = reader.u8();
  if (!reader.ok() || version == 0) return fail(ErrorKind::kCorrupt, fmt::format("{} has no version", what));
  if (version > kVersion) {
    return fail(ErrorKind::kUnsupported,
                fmt::format("{} has version {}, this program reads up to {}", what, version, kVersion));
  }
  return {};
}

void write_value(RecordWriter& w, const MetadataValue& value) {
  w.u8(static_cast<std::uint8_t>(value.index()));
  if (const auto* b = std::get_if<bool>(&value)) w.u8(*b ? 1 : 0);
  if (const auto* i = std::get_if<std::int64_t>(&value)) w.zigzag(*i);
  if (const auto* d = std::get_if<double>(&value)) w.f64(*d);
  if (const auto* s = std::get_if<std::string>(&value)) w.bytes(*s);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    w.varint(list->size());
    for (const auto& text : *list) w.bytes(text);
  }
}

std::optional<MetadataValue> read_value(RecordReader& r) {
  switch (r.u8()) {
    case 0:
      return MetadataValue();
    case 1:
      return MetadataValue(r.u8() != 0);
    case 2:
      return MetadataValue(r.zigzag());
    case 3:
      return MetadataValue(r.f64());
    case 4:
      return MetadataValue(std::string(r.bytes()));
    case 5: {
      std::vector<std::string> list;
      const auto count = r.varint();
      for (std::uint64_t i = 0; i < count && r.ok(); ++i) list.emplace_back(r.bytes());
      return MetadataValue(std::move(list));
    }
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string namespace_prefix(std::string_view name_space) {
  return RecordWriter().key_text(name_space).take();
}

std::string item_key(std::string_view name_space, const ItemId& id) {
  return RecordWriter().key_text(name_space).raw(view(id.data(), id.size())).take();
}

std::string vector_key(std::string_view name_space, std::string_view space, const ItemId& id) {
  return RecordWriter().key_text(name_space).key_text(space).raw(view(id.data(), id.size())).take();
}

std::string space_key(std::string_view name_space, std::string_view space) {
  return RecordWriter().key_text(name_space).key_text(space).take();
}

Result<MemoryKey> parse_item_key(std::string_view key) {
  RecordReader r(key);
  MemoryKey out;
  out.name_space = r.key_text();
  out.id = read_array<16>(r);
  CONSORT_CHECK_OK(r.finish("the key of an item"));
  return out;
}

Result<MemoryKey> parse_vector_key(std::string_view key) {
  RecordReader r(key);
  MemoryKey out;
  out.name_space = r.key_text();
  out.space = r.key_text();
  out.id = read_array<16>(r);
  CONSORT_CHECK_OK(r.finish("the key of a vector"));
  return out;
}

Result<MemoryKey> parse_space_key(std::string_view key) {
  RecordReader r(key);
  MemoryKey out;
  out.name_space = r.key_text();
  out.space = r.key_text();
  CONSORT_CHECK_OK(r.finish("the key of a vector space"));
  return out;
}

std::string encode_item(const Item& item, const TextDigest& digest) {
  RecordWriter w(kVersion);
  w.bytes(item.external_id)
      .raw(view(digest.data(), digest.size()))
      .zigzag(item.created_us)
      .zigzag(item.updated_us);
  const Provenance& p = item.provenance;
  w.bytes(p.source).bytes(p.run_id).bytes(p.task).bytes(p.model_digest);
  w.varint(item.metadata.size());
  for (const auto& [name, value] : item.metadata) {
    w.bytes(name);
    write_value(w, value);
  }
  w.bytes(item.text);
  return w.take();
}

Result<StoredItem> decode_item(const ItemId& id, std::string_view value) {
  RecordReader r(value);
  CONSORT_CHECK_OK(check_version(r, "an item"));
  StoredItem out;
  out.item.id = id;
  out.item.external_id = r.bytes();
  out.digest = read_array<32>(r);
  out.item.created_us = r.zigzag();
  out.item.updated_us = r.zigzag();
  Provenance& p = out.item.provenance;
  p.source = r.bytes();
  p.run_id = r.bytes();
  p.task = r.bytes();
  p.model_digest = r.bytes();
  const auto fields = r.varint();
  for (std::uint64_t i = 0; i < fields && r.ok(); ++i) {
    std::string name(r.bytes());
    auto field = read_value(r);
    if (!field) return fail(ErrorKind::kCorrupt, "an item has metadata of an unknown type");
    out.item.metadata.insert_or_assign(std::move(name), std::move(*field));
  }
  out.item.text = r.bytes();
  CONSORT_CHECK_OK(r.finish("an item"));
  return out;
}

std::string encode_vector(const VectorRecord& record) {
  static_assert(std::endian::native == std::endian::little, "floats are stored little-endian");
  const bool tokens = record.tokens.rows() > 0;
  RecordWriter w(tokens ? kTokenVersion : kVersion);
  w.raw(view(record.digest.data(), record.digest.size())).u64_be(record.space_hash);
  if (tokens) {
    w.varint(record.tokens.rows()).varint(record.tokens.dimension);
    w.raw({reinterpret_cast<const char*>(record.tokens.scales.data()), record.tokens.rows() * sizeof(float)});
    w.raw({reinterpret_cast<const char*>(record.tokens.codes.data()), record.tokens.codes.size()});
    return w.take();
  }
  w.varint(record.values.size());
  w.raw({reinterpret_cast<const char*>(record.values.data()), record.values.size() * sizeof(float)});
  return w.take();
}

namespace {

Status read_tokens(RecordReader& r, TokenVectors& out) {
  const auto rows = r.varint(), dimension = r.varint();
  // Every value takes a byte: the room asked for is bounded by the record.
  const bool fits = r.ok() && rows > 0 && dimension > 0 && dimension <= 65536 && rows <= r.left() &&
                    r.left() == rows * (dimension + sizeof(float));
  if (!fits) return fail(ErrorKind::kCorrupt, "the vectors of an item's tokens are cut short");
  out.dimension = static_cast<std::size_t>(dimension);
  out.scales.resize(static_cast<std::size_t>(rows));
  out.codes.resize(static_cast<std::size_t>(rows * dimension));
  std::memcpy(out.scales.data(), r.raw(out.scales.size() * sizeof(float)).data(),
              out.scales.size() * sizeof(float));
  std::memcpy(out.codes.data(), r.rest().data(), out.codes.size());
  const auto finite = [](float x) { return std::isfinite(x); };
  if (!std::all_of(out.scales.begin(), out.scales.end(), finite))
    return fail(ErrorKind::kCorrupt, "the vectors of an item's tokens are not finite");
  return {};
}

}  // namespace

Result<VectorRecord> decode_vector(std::string_view value) {
  RecordReader r(value);
  const bool tokens = !value.empty() && static_cast<std::uint8_t>(value[0]) == kTokenVersion;
  if (tokens)
    r.u8();
  else
    CONSORT_CHECK_OK(check_version(r, "a vector"));
  VectorRecord out;
  out.digest = read_array<32>(r);
  out.space_hash = r.u64_be();
  if (tokens) {
    CONSORT_CHECK_OK(read_tokens(r, out.tokens));
    return out;
  }
  const auto count = r.varint();
  const auto bytes = r.rest();
  if (!r.ok() || bytes.size() % sizeof(float) != 0 || bytes.size() / sizeof(float) != count) {
    return fail(ErrorKind::kCorrupt, "a vector is cut short");
  }
  out.values.resize(static_cast<std::size_t>(count));
  if (count > 0) std::memcpy(out.values.data(), bytes.data(), bytes.size());
  return out;
}

std::string encode_space(const VectorSpace& space) {
  RecordWriter w(kVersion);
  w.bytes(space.fingerprint).varint(space.dimension).u8(static_cast<std::uint8_t>(space.metric));
  return w.take();
}

Result<VectorSpace> decode_space(std::string_view name, std::string_view value) {
  RecordReader r(value);
  CONSORT_CHECK_OK(check_version(r, "a vector space"));
  VectorSpace space;
  space.name = name;
  space.fingerprint = r.bytes();
  space.dimension = static_cast<std::size_t>(r.varint());
  const auto metric = r.u8();
  CONSORT_CHECK_OK(r.finish("a vector space"));
  if (metric > 2 || space.dimension == 0 || space.dimension > 65536) {
    return fail(ErrorKind::kCorrupt, "a vector space with impossible numbers");
  }
  space.metric = static_cast<VectorMetric>(metric);
  return space;
}

std::uint64_t space_hash(const VectorSpace& space) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : encode_space(space)) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace consort
