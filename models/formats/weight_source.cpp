#include "models/formats/weight_source.h"

#include <sys/stat.h>

#include <array>
#include <cstring>
#include <fstream>

#include "models/formats/gguf.h"
#include "models/formats/onnx.h"
#include "models/formats/safetensors.h"
#include "models/formats/torch_pickle.h"

namespace consort {
namespace {

std::string at_key(const WeightSource& source, std::string_view key) {
  return source.location() + ", key " + std::string(key);
}

tl::unexpected<Error> missing_key(const WeightSource& source, std::string_view key) {
  return fail(ErrorKind::kNotFound, "metadata key is missing", at_key(source, key));
}

std::string dims_text(const std::int64_t* dims, int rank) {
  std::string text = "[";
  for (int i = 0; i < rank; ++i) {
    if (i) text += ", ";
    text += dims[i] < 0 ? "any" : std::to_string(dims[i]);
  }
  return text + "]";
}

bool ends_with(const std::string& text, std::string_view suffix) {
  return text.size() >= suffix.size() &&
         text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

}  // namespace

Result<std::int64_t> WeightSource::integer(std::string_view key) const {
  const MetaValue* value = meta(key);
  if (!value) return missing_key(*this, key);
  if (const auto* i = std::get_if<std::int64_t>(&value->value)) return *i;
  return fail(ErrorKind::kInvalid, "metadata is not an integer", at_key(*this, key));
}

Result<double> WeightSource::number(std::string_view key) const {
  const MetaValue* value = meta(key);
  if (!value) return missing_key(*this, key);
  if (const auto* d = std::get_if<double>(&value->value)) return *d;
  if (const auto* i = std::get_if<std::int64_t>(&value->value)) return static_cast<double>(*i);
  return fail(ErrorKind::kInvalid, "metadata is not a number", at_key(*this, key));
}

Result<std::string> WeightSource::text(std::string_view key) const {
  const MetaValue* value = meta(key);
  if (!value) return missing_key(*this, key);
  if (const auto* s = std::get_if<std::string>(&value->value)) return *s;
  return fail(ErrorKind::kInvalid, "metadata is not a string", at_key(*this, key));
}

std::int64_t WeightSource::integer_or(std::string_view key, std::int64_t fallback) const {
  return integer(key).value_or(fallback);
}

double WeightSource::number_or(std::string_view key, double fallback) const {
  return number(key).value_or(fallback);
}

Result<TensorView> WeightSource::tensor(std::string_view name,
                                        std::initializer_list<std::int64_t> dims) const {
  const std::string where = location() + ", tensor " + std::string(name);
  const TensorEntry* entry = find(name);
  if (!entry) return fail(ErrorKind::kNotFound, "tensor is missing", where);
  bool same = entry->view.rank == static_cast<int>(dims.size());
  for (int i = 0; same && i < entry->view.rank; ++i)
    same = dims.begin()[i] == -1 || dims.begin()[i] == entry->view.dims[static_cast<std::size_t>(i)];
  if (!same)
    return fail(ErrorKind::kInvalid,
                "tensor has shape " + dims_text(entry->view.dims.data(), entry->view.rank) + ", expected " +
                    dims_text(dims.begin(), static_cast<int>(dims.size())),
                where);
  return entry->view;
}

Result<std::unique_ptr<WeightSource>> open_weights(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return fail(ErrorKind::kNotFound, "no such file or folder", path,
                "check the path, or `consort models list`");
  if (S_ISDIR(info.st_mode)) return open_huggingface_folder(path);
  if (!S_ISREG(info.st_mode)) return fail(ErrorKind::kInvalid, "not a regular file", path);
  std::array<char, kTorchPickleMagic.size()> magic{};
  std::ifstream(path, std::ios::binary).read(magic.data(), magic.size());
  if (std::memcmp(magic.data(), "GGUF", 4) == 0 || ends_with(path, ".gguf")) return open_gguf(path);
  if (ends_with(path, ".safetensors")) return open_safetensors(path);
  if (ends_with(path, ".onnx")) return open_onnx(path);
  if (std::string_view(magic.data(), magic.size()) == kTorchPickleMagic ||
      std::memcmp(magic.data(), "PK\3\4", 4) == 0)
    return open_torch_pickle(path);
  return fail(ErrorKind::kUnsupported, "not a weight file that is known here", path,
              "give a .gguf, .safetensors or .onnx file, a torch checkpoint or a Hugging Face folder");
}

}  // namespace consort
