// GGUF reader, versions 2 and 3 (source: the GGUF specification of the ggml project). Memory-mapped; tensors
// are views into the file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "memory/base/status.h"
#include "memory/tensor/dtype.h"
#include "models/formats/weight_source.h"

namespace consort {

// The element type of a ggml type number; nullopt for the types that this build does not read.
std::optional<DType> dtype_of_ggml(std::uint32_t ggml_type);
// "IQ4_XS", or "type 99" for numbers nobody has given a name.
std::string ggml_type_name(std::uint32_t ggml_type);

// Errors: kNotFound, kIo; kCorrupt (magic, truncation, duplicate names, lengths, offsets or sizes outside the
// file, overlapping tensors); kUnsupported (version, byte order, element type: named).
Result<std::unique_ptr<WeightSource>> open_gguf(const std::string& path);

}  // namespace consort
