// Writes tensors to a .safetensors file (source: the safetensors format description: an 8-byte little-endian
// header length, a JSON header, the tensors' bytes without gaps).
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "memory/base/status.h"
#include "memory/tensor/tensor.h"

namespace consort {

struct NamedTensor {
  std::string name;
  TensorView view;  // host memory, contiguous, a plain number type (no block formats)
};

// Writes `path` whole or not at all (temporary file beside it, fsync, rename). Tensors keep their order; the
// header is padded so that the data starts at a multiple of 64 bytes. metadata becomes "__metadata__".
// Errors: kInvalid for duplicate or reserved names and views that are not contiguous host memory,
// kUnsupported for block formats, kIo from the operating system (the temporary file is removed).
Status write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                         std::span<const std::pair<std::string, std::string>> metadata = {});

}  // namespace consort
