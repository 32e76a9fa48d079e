#include "models/formats/safetensors.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "models/formats/byte_reader.h"
#include "models/formats/json_check.h"
#include "models/formats/mapped_file.h"
#include "models/formats/metadata.h"
#include "models/formats/onnx_file.h"
#include "models/formats/safetensors_file.h"

namespace consort {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxJsonFileBytes = 64u << 20;  // config.json and shard indices are far below 10 MB
constexpr std::size_t kMaxConfigDepth = 16;
constexpr std::size_t kMaxShards = 4096;

class SafetensorsSource final : public WeightSource {
 public:
  SafetensorsSource(std::string location, std::string format)
      : location_(std::move(location)), format_(std::move(format)) {}

  std::string format() const override { return format_; }
  std::string location() const override { return location_; }
  std::string architecture() const override { return text("model_type").value_or(""); }
  const MetaValue* meta(std::string_view key) const override { return metadata_.find(key); }
  std::vector<std::string> meta_keys() const override { return metadata_.keys(); }
  const TensorEntry* find(std::string_view name) const override { return tensors_.find(name); }
  const std::vector<TensorEntry>& tensors() const override { return tensors_.entries(); }
  std::size_t mapped_bytes() const override {
    std::size_t bytes = 0;
    for (const auto& file : files_) bytes += file.mapped_bytes();
    if (onnx_) bytes += onnx_->mapped_bytes();
    return bytes;
  }
  std::vector<FileIdentity> identities() const override {
    std::vector<FileIdentity> all;
    for (const auto& file : files_) all.push_back(file.identity());
    if (onnx_) all.push_back(onnx_->identity());
    return all;
  }

  // Takes every tensor of the file. Throws FormatError when a name is already there.
  void add(SafetensorsFile file) {
    for (const auto& entry : file.tensors()) {
      if (!tensors_.add(entry))
        throw FormatError(ErrorKind::kCorrupt, "a tensor stands in two shards",
                          location_ + ", tensor " + printable(entry.name));
      holders_.emplace(entry.name, files_.size());
    }
    files_.push_back(std::move(file));
  }
  void add(OnnxFile file) {
    onnx_ = std::move(file);
    for (const auto& entry : onnx_->tensors()) tensors_.add(entry);
  }
  const std::vector<SafetensorsFile>& files() const { return files_; }
  // The place in files() of the file that holds a tensor, or files().size().
  std::size_t holder(const std::string& tensor) const {
    const auto it = holders_.find(tensor);
    return it == holders_.end() ? files_.size() : it->second;
  }
  Metadata& metadata() { return metadata_; }

 private:
  std::string location_, format_;
  std::vector<SafetensorsFile> files_;
  std::optional<OnnxFile> onnx_;
  TensorTable tensors_;
  NameIndex holders_;
  Metadata metadata_;
};

// ---- config.json as metadata

template <typename T, typename Test>
bool take_array(const json& items, Test test, MetaValue& value) {
  if (!std::all_of(items.begin(), items.end(), test)) return false;
  std::vector<T> array;
  array.reserve(items.size());
  for (const json& item : items) array.push_back(item.get<T>());
  value.value = MetaValue::Array(std::move(array));
  return true;
}

bool is_int64(const json& v) {
  return v.is_number_integer() &&
         (!v.is_number_unsigned() || v.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX));
}

bool plain_array(const json& items, MetaValue& value) {
  return take_array<std::int64_t>(items, is_int64, value) ||
         take_array<double>(
             items, [](const json& v) { return v.is_number(); }, value) ||
         take_array<std::string>(
             items, [](const json& v) { return v.is_string(); }, value) ||
         take_array<bool>(
             items, [](const json& v) { return v.is_boolean(); }, value);
}

void add_metadata(Metadata& metadata, const std::string& key, const json& value) {
  MetaValue plain;
  if (value.is_object() || (value.is_array() && !plain_array(value, plain))) {
    const std::string prefix = key.empty() ? "" : key + ".";
    std::size_t index = 0;
    for (const auto& [name, item] : value.items())
      add_metadata(metadata, prefix + (value.is_array() ? std::to_string(index++) : name), item);
    return;
  }
  if (value.is_null()) return;
  if (is_int64(value))
    plain.value = value.get<std::int64_t>();
  else if (value.is_number())
    plain.value = value.get<double>();
  else if (value.is_boolean())
    plain.value = value.get<bool>();
  else if (value.is_string())
    plain.value = value.get<std::string>();
  if (!metadata.add(key, std::move(plain)))  // {"a.b": 1, "a": {"b": 2}}
    throw FormatError(ErrorKind::kCorrupt, "two keys have the same joined name", "key " + key);
}

json read_json(const std::string& path, std::size_t max_depth) {
  auto file = MappedFile::open(path);
  if (!file) throw FormatError(std::move(file.error()));
  if (file->size() > kMaxJsonFileBytes)
    throw FormatError(ErrorKind::kCorrupt, "the JSON file is too large", path);
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->size());
  try {
    check_json(text, max_depth, "the file");
  } catch (FormatError& e) {
    e.error.where = path;
    throw;
  }
  json value = json::parse(text.begin(), text.end());
  if (!value.is_object()) throw FormatError(ErrorKind::kCorrupt, "the file is not a JSON object", path);
  return value;
}

// ---- shards

bool is_file(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// {"weight_map": {"tensor": "model-00001-of-00002.safetensors"}}. A shard's name must be a plain file name,
// so that an index cannot reach outside its folder.
void add_shards(SafetensorsSource& source, const std::string& folder, const std::string& index_path) {
  const json index = read_json(index_path, kMaxConfigDepth);
  const auto map = index.find("weight_map");
  if (map == index.end() || !map->is_object() || map->empty())
    throw FormatError(ErrorKind::kCorrupt, "the shard index has no weight_map", index_path);
  std::map<std::string, std::size_t> shards;  // name -> place in source.files()
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string()) throw FormatError(ErrorKind::kCorrupt, "a shard is not a string", index_path);
    const auto& name = shard.get_ref<const std::string&>();
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
        name.find('\0') != std::string::npos)
      throw FormatError(ErrorKind::kCorrupt, "a shard's name is not a plain file name", index_path);
    shards.emplace(name, 0);
    if (shards.size() > kMaxShards) throw FormatError(ErrorKind::kCorrupt, "too many shards", index_path);
  }
  for (auto& [name, place] : shards) {
    place = source.files().size();
    source.add(SafetensorsFile(folder + "/" + name));
  }
  for (const auto& [tensor, shard] : map->items())
    if (source.holder(tensor) != shards.at(shard.get<std::string>()))
      throw FormatError(ErrorKind::kCorrupt, "the shard does not hold the tensor that the index names",
                        folder + "/" + shard.get<std::string>() + ", tensor " + printable(tensor));
}

template <typename Open>
Result<std::unique_ptr<WeightSource>> guarded(const std::string& where, Open open) {
  try {
    return std::unique_ptr<WeightSource>(open());
  } catch (FormatError& e) {
    if (e.error.where.empty()) e.error.where = where;
    return tl::unexpected<Error>(std::move(e.error));
  } catch (const json::exception& e) {
    return fail(ErrorKind::kCorrupt, "unexpected JSON", where);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "not enough memory for the file's header", where);
  }
}

}  // namespace

Result<std::unique_ptr<WeightSource>> open_safetensors(const std::string& path) {
  return guarded(path, [&] {
    auto source = std::make_unique<SafetensorsSource>(path, "safetensors");
    source->add(SafetensorsFile(path));
    for (const auto& [key, value] : source->files().front().metadata())
      source->metadata().add(key, MetaValue{value});
    return source;
  });
}

Result<std::unique_ptr<WeightSource>> open_huggingface_folder(const std::string& folder) {
  const std::string single = folder + "/model.safetensors", index = folder + "/model.safetensors.index.json",
                    onnx = folder + "/model.onnx";
  if (!is_file(folder + "/config.json"))
    return fail(ErrorKind::kNotFound, "the folder has no config.json", folder,
                "give a GGUF file or a Hugging Face folder");
  if (!is_file(single) && !is_file(index) && !is_file(onnx))
    return fail(ErrorKind::kNotFound,
                "the folder has no model.safetensors, no model.safetensors.index.json and no model.onnx",
                folder);
  return guarded(folder, [&] {
    const bool from_onnx = !is_file(single) && !is_file(index);
    auto source =
        std::make_unique<SafetensorsSource>(folder, from_onnx ? "onnx folder" : "safetensors folder");
    add_metadata(source->metadata(), "", read_json(folder + "/config.json", kMaxConfigDepth));
    if (from_onnx)
      source->add(OnnxFile(onnx));
    else if (is_file(index))
      add_shards(*source, folder, index);
    else
      source->add(SafetensorsFile(single));
    return source;
  });
}

}  // namespace consort
