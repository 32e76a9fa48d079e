#include "agents/calls/model_call.h"

#include "scheduler/blob/blob_store.h"

namespace consort {
namespace {

Result<SharedBytes> bytes_of(const Value& v, BlobStore* blobs, std::string& name) {
  if (v.is_string()) return SharedBytes::of(v.as_string());
  if (!is_blob_handle(v)) return fail(ErrorKind::kInvalid, "neither a text nor a blob");
  if (blobs == nullptr) return not_connected("a blob's handle", "blobs");
  CONSORT_TRY(blob, blobs->get(v));
  name = blob.name;
  return std::move(blob.bytes);
}

Result<ModelInput> read_named(std::string_view key, const Value& v, BlobStore* blobs) {
  ModelInput item;
  if (key == "graph" && v.is_object() && !is_blob_handle(v)) {
    item.kind = InputKind::kGraph;
    item.bytes = SharedBytes::of(write_json(v));
    return item;
  }
  for (const InputKind kind :
       {InputKind::kText, InputKind::kMolecule, InputKind::kImage, InputKind::kFile, InputKind::kGraph}) {
    if (input_kind_name(kind) != key) continue;
    item.kind = kind;
    CONSORT_TRY(bytes, bytes_of(v, blobs, item.name));
    if (kind == InputKind::kText || kind == InputKind::kMolecule)
      item.text = std::string(bytes.text());
    else
      item.bytes = std::move(bytes);
    return item;
  }
  return fail(ErrorKind::kInvalid,
              "'" + std::string(key) + "' is not one of text, smiles, image, file and graph");
}

Result<ModelInput> read_one(const Value& v, BlobStore* blobs) {
  if (v.is_string() || is_blob_handle(v)) {
    ModelInput item;
    item.kind = std::nullopt;
    if (v.is_string()) {
      item.text = v.as_string();
      return item;
    }
    CONSORT_TRY(bytes, bytes_of(v, blobs, item.name));
    item.bytes = std::move(bytes);
    return item;
  }
  if (v.find("nodes") != nullptr) return read_named("graph", v, blobs);
  if (!v.is_object() || v.size() != 1)
    return fail(ErrorKind::kInvalid, "an item is a text, a blob, or an object with one member");
  return read_named(v.as_object().front().first, v.as_object().front().second, blobs);
}

}  // namespace

Result<ModelInputs> read_model_inputs(const Value& input, BlobStore* blobs) {
  ModelInputs out;
  out.single = !input.is_array();
  const Value list = out.single ? Value::array({input}) : input;
  for (const Value& v : list.as_array()) {
    auto item = read_one(v, blobs);
    if (!item) {
      item.error().where = out.single ? "with/input" : "with/input/" + std::to_string(out.items.size());
      return forward_error(item);
    }
    out.items.push_back(std::move(*item));
  }
  return out;
}

Status first_error(const ItemReport& report, bool single) {
  if (report.errors.empty()) return {};
  Error error = report.errors.front().error;
  if (!single) error.what = "item " + std::to_string(report.errors.front().item) + ": " + error.what;
  return tl::unexpected<Error>(std::move(error));
}

Value label_values(const std::vector<LabelScore>& labels) {
  Value::Array out;
  for (const LabelScore& l : labels)
    out.push_back(Value::object({{"label", text_of(l.label)}, {"score", l.score}}));
  return Value::array(std::move(out));
}

Value row_value(const TensorView& rows, std::int64_t row) {
  const float* values = rows.as<float>() + row * rows.cols();
  Value::Array out;
  out.reserve(static_cast<std::size_t>(rows.cols()));
  for (std::int64_t i = 0; i < rows.cols(); ++i) out.emplace_back(static_cast<double>(values[i]));
  return Value::array(std::move(out));
}

}  // namespace consort
