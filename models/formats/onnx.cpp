#include "models/formats/onnx.h"

#include <new>
#include <utility>

#include "models/formats/byte_reader.h"
#include "models/formats/metadata.h"
#include "models/formats/onnx_file.h"

namespace consort {
namespace {

class OnnxSource final : public WeightSource {
 public:
  explicit OnnxSource(const std::string& path) : location_(path), file_(path) {
    for (const TensorEntry& entry : file_.tensors()) tensors_.add(entry);
    for (const auto& [key, value] : file_.metadata()) metadata_.add(key, value);
  }
  std::string format() const override { return "onnx"; }
  std::string location() const override { return location_; }
  std::string architecture() const override { return ""; }  // a graph has none; the folder's config.json says
  const MetaValue* meta(std::string_view key) const override { return metadata_.find(key); }
  std::vector<std::string> meta_keys() const override { return metadata_.keys(); }
  const TensorEntry* find(std::string_view name) const override { return tensors_.find(name); }
  const std::vector<TensorEntry>& tensors() const override { return tensors_.entries(); }
  std::size_t mapped_bytes() const override { return file_.mapped_bytes(); }
  std::vector<FileIdentity> identities() const override { return {file_.identity()}; }

 private:
  std::string location_;
  OnnxFile file_;
  TensorTable tensors_;
  Metadata metadata_;
};

}  // namespace

Result<std::unique_ptr<WeightSource>> open_onnx(const std::string& path) {
  try {
    return std::unique_ptr<WeightSource>(std::make_unique<OnnxSource>(path));
  } catch (FormatError& e) {
    if (e.error.where.empty()) e.error.where = path;
    return tl::unexpected<Error>(std::move(e.error));
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "not enough memory for the file's tensors", path);
  }
}

}  // namespace consort
