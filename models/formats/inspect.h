// What is inside a weight file, as plain data: `consort models inspect FILE` prints it as text or JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "models/formats/weight_source.h"

namespace consort {

struct MetaSummary {
  std::string key;
  std::string type;       // "integer", "number", "bool", "string", "array of strings", ...
  std::size_t count = 1;  // items of an array, 1 otherwise
  std::string
      preview;  // the value; arrays and long strings shortened (see `shortened`), control bytes escaped
  bool shortened = false;  // preview leaves something out
};
struct TensorSummary {
  std::string name, dtype;
  std::vector<std::int64_t> dims;  // row-major
  std::uint64_t elements = 0, bytes = 0;
};
struct DTypeSummary {
  std::string dtype;
  std::size_t tensors = 0;
  std::uint64_t elements = 0, bytes = 0;
};
struct WeightSummary {
  std::string format, location, architecture;
  std::uint64_t mapped_bytes = 0, tensor_bytes = 0, parameters = 0;
  std::vector<MetaSummary> metadata;   // in file order
  std::vector<TensorSummary> tensors;  // in file order
  std::vector<DTypeSummary> dtypes;    // by bytes, largest first
};

// Pure. preview_items: how many items of an array are shown.
WeightSummary inspect_weights(const WeightSource& source, std::size_t preview_items = 6);

}  // namespace consort
