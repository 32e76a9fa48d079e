// ONNX reader: the initialisers (weights) of a model file as tensors; the graph itself is not read. Source:
// onnx.proto3 (messages ModelProto, GraphProto, TensorProto). Memory-mapped; raw_data tensors are views into
// the file.
#pragma once

#include <memory>
#include <string>

#include "memory/base/status.h"
#include "models/formats/weight_source.h"

namespace consort {

// One file. Metadata: onnx.ir_version, onnx.producer_name, onnx.producer_version, onnx.opset, and the file's
// own metadata_props. Errors: kNotFound, kIo; kCorrupt (wire format, lengths, element counts that do not
// match the dims, duplicate names); kUnsupported (element type, more than four dimensions, data in other
// files: named).
Result<std::unique_ptr<WeightSource>> open_onnx(const std::string& path);

}  // namespace consort
