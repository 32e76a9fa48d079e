#include "protocols/cli/commands/item_input.h"

#include <filesystem>
#include <utility>

namespace consort {
namespace {

constexpr const char* kForms =
    "give one of {\"text\": string}, {\"image\": path}, {\"file\": path}, {\"smiles\": string}, "
    "{\"graph\": object}";

Result<ModelInput> from_file(const std::string& path, std::optional<InputKind> kind) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    return fail(ErrorKind::kInvalid, "this is a folder", path, "name the files in it");
  CONSORT_TRY(content, read_file(path, kMaxItemBytes));
  ModelInput item;
  item.kind = kind;
  item.bytes = SharedBytes::of(std::move(content));
  item.name = path;
  return item;
}

}  // namespace

Result<ModelInput> read_item(const Value& line, const std::string& where) {
  if (!line.is_object() || line.size() != 1)
    return fail(ErrorKind::kInvalid, "expected an object with one member", where, kForms);
  const auto& [key, value] = line.as_object().front();
  if (key == "graph") {
    if (!value.is_object()) return fail(ErrorKind::kInvalid, "the graph is not an object", where, kForms);
    ModelInput item;
    item.kind = InputKind::kGraph;
    item.bytes = SharedBytes::of(write_json(value));
    item.name = where;
    return item;
  }
  if (key != "text" && key != "smiles" && key != "image" && key != "file")
    return fail(ErrorKind::kInvalid, "'" + key + "' is not a known kind of input", where, kForms);
  if (!value.is_string())
    return fail(ErrorKind::kInvalid, "the value of '" + key + "' is not a string", where, kForms);
  if (key == "image") return from_file(value.as_string(), InputKind::kImage);
  if (key == "file") return from_file(value.as_string(), InputKind::kFile);
  ModelInput item;
  item.kind = key == "text" ? InputKind::kText : InputKind::kMolecule;
  item.text = value.as_string();
  return item;
}

Result<ModelInput> read_item_file(const std::string& path) {
  return from_file(path, std::nullopt);
}

}  // namespace consort
