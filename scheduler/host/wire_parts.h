// Parts that several results have in common. Internal to scheduler/host.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "scheduler/host/wire.h"
#include "scheduler/host/wire_reader.h"

namespace consort {

Value wire_prompt(const Prompt& p);
Result<Prompt> read_wire_prompt(const Value& v);
// GenerationOptions among the other entries of a request. Without `sampling` it keeps its defaults.
void append_generation(Value::Object& out, const GenerationOptions& options);
// The last entries: finishes the reader. Errors: those of the reader.
Status read_generation_options(WireReader& reader, WireReader::Presence sampling, GenerationOptions& out);
Value wire_usage(const Usage& u);
Result<Usage> read_usage(const Value* v);  // null: nothing used
// A tensor of the answer, checked against what it must be; -1 matches any size.
Result<TensorLease> take_tensor(const std::vector<TensorLease>& tensors, std::string_view name, DType dtype,
                                std::initializer_list<std::int64_t> dims);

}  // namespace consort
