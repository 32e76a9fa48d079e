// safetensors reader: one file, and Hugging Face folders (config.json beside one or several .safetensors
// files, sharded by model.safetensors.index.json). Memory-mapped; tensors are views into the files.
#pragma once

#include <memory>
#include <string>

#include "memory/base/status.h"
#include "models/formats/weight_source.h"

namespace consort {

// Largest JSON header that is read, as in the reference implementation.
inline constexpr std::size_t kMaxSafetensorsHeader = 100'000'000;

// One file; "__metadata__" entries are its metadata. Errors: kNotFound, kIo; kCorrupt (header length, JSON,
// shapes, ranges outside the file, gaps and overlaps, duplicate names); kUnsupported (element type, more than
// four dimensions: named).
Result<std::unique_ptr<WeightSource>> open_safetensors(const std::string& path);

// A folder with config.json, and model.onnx where it has no safetensors. Its keys are the metadata, nested ones joined with dots, items of mixed arrays
// numbered ("layers.0.kind"); nulls are absent. Errors: as above, and kCorrupt when the index names a shard
// or tensor that is not there.
Result<std::unique_ptr<WeightSource>> open_huggingface_folder(const std::string& folder);

}  // namespace consort
