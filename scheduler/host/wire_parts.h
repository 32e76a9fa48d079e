// Parts that several results have in common. Internal to scheduler/host.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "scheduler/host/wire.h"

namespace consort {

Value wire_prompt(const Prompt& p);
Result<Prompt> read_wire_prompt(const Value& v);
Value wire_sampling(const SamplingOptions& s);
Result<SamplingOptions> read_wire_sampling(const Value& v);
Value wire_usage(const Usage& u);
Result<Usage> read_usage(const Value* v);  // null: nothing used
// A tensor of the answer, checked against what it must be; -1 matches any size.
Result<TensorLease> take_tensor(const std::vector<TensorLease>& tensors, std::string_view name, DType dtype,
                                std::initializer_list<std::int64_t> dims);

}  // namespace consort
