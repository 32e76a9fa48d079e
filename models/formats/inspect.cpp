#include "models/formats/inspect.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <type_traits>

namespace consort {
namespace {

constexpr std::size_t kPreviewBytes = 200;  // of one string

std::string preview(std::int64_t value, bool&) {
  return std::to_string(value);
}
std::string preview(bool value, bool&) {
  return value ? "true" : "false";
}
std::string preview(double value, bool&) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

// Control bytes escaped, so that a file cannot play with the terminal; cut at a UTF-8 boundary.
std::string preview(const std::string& value, bool& shortened) {
  std::size_t end = value.size();
  if (end > kPreviewBytes) {
    end = kPreviewBytes;
    while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xc0) == 0x80) --end;
    shortened = true;
  }
  std::string text;
  for (std::size_t i = 0; i < end; ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    char escape[8];
    if (c == '\n') {
      text += "\\n";
    } else if (c == '\t') {
      text += "\\t";
    } else if (c < 0x20 || c == 0x7f) {
      std::snprintf(escape, sizeof escape, "\\x%02x", c);
      text += escape;
    } else {
      text += static_cast<char>(c);
    }
  }
  return end < value.size() ? text + "..." : text;
}

MetaSummary summarise_array(std::string key, const MetaValue::Array& array, std::size_t items) {
  MetaSummary summary;
  summary.key = std::move(key);
  std::visit(
      [&](const auto& values) {
        using Item = typename std::decay_t<decltype(values)>::value_type;
        summary.type = std::is_same_v<Item, std::string>    ? "array of strings"
                       : std::is_same_v<Item, double>       ? "array of numbers"
                       : std::is_same_v<Item, std::int64_t> ? "array of integers"
                                                            : "array of bools";
        summary.count = values.size();
        summary.shortened = values.size() > items;
        for (std::size_t i = 0; i < std::min(items, values.size()); ++i) {
          const Item item = values[i];
          if (i) summary.preview += ", ";
          summary.preview += preview(item, summary.shortened);
        }
        if (values.size() > items) summary.preview += ", ...";
      },
      array);
  summary.preview = "[" + summary.preview + "]";
  return summary;
}

MetaSummary summarise(std::string key, const MetaValue& value, std::size_t items) {
  if (const auto* array = std::get_if<MetaValue::Array>(&value.value))
    return summarise_array(std::move(key), *array, items);
  MetaSummary summary;
  summary.key = std::move(key);
  std::visit(
      [&](const auto& v) {
        using V = std::decay_t<decltype(v)>;
        if constexpr (!std::is_same_v<V, MetaValue::Array>) {
          summary.type = std::is_same_v<V, std::string>    ? "string"
                         : std::is_same_v<V, double>       ? "number"
                         : std::is_same_v<V, std::int64_t> ? "integer"
                                                           : "bool";
          summary.preview = preview(v, summary.shortened);
        }
      },
      value.value);
  return summary;
}

}  // namespace

WeightSummary inspect_weights(const WeightSource& source, std::size_t preview_items) {
  WeightSummary summary;
  summary.format = source.format();
  summary.location = source.location();
  summary.architecture = source.architecture();
  summary.mapped_bytes = source.mapped_bytes();
  for (auto& key : source.meta_keys()) {
    const MetaValue* value = source.meta(key);
    if (value) summary.metadata.push_back(summarise(key, *value, preview_items));
  }
  std::map<std::string, DTypeSummary> dtypes;
  for (const auto& [name, view] : source.tensors()) {
    TensorSummary tensor;
    tensor.name = name;
    tensor.dtype = dtype_name(view.dtype);
    tensor.dims.assign(view.dims.begin(), view.dims.begin() + view.rank);
    tensor.elements = static_cast<std::uint64_t>(view.elements());
    tensor.bytes = row_bytes(view.dtype, tensor.elements);
    auto& group = dtypes[tensor.dtype];
    group.dtype = tensor.dtype;
    ++group.tensors;
    group.elements += tensor.elements;
    group.bytes += tensor.bytes;
    summary.tensor_bytes += tensor.bytes;
    summary.parameters += tensor.elements;
    summary.tensors.push_back(std::move(tensor));
  }
  for (auto& [name, group] : dtypes) summary.dtypes.push_back(std::move(group));
  std::stable_sort(summary.dtypes.begin(), summary.dtypes.end(),
                   [](const DTypeSummary& a, const DTypeSummary& b) { return a.bytes > b.bytes; });
  return summary;
}

}  // namespace consort
