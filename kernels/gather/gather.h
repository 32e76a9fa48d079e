// Rows of a table by number: embeddings of atoms, bonds and other small vocabularies.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/exec/exec.h"

namespace consort {

// out[r] = table[ids[r]]. table: f32 [rows, n], out: f32 [ids, n]. REQUIRES: every id within the table.
void gather(Exec& exec, TensorView table, std::span<const std::int32_t> ids, TensorView out);
// out[r] += table[ids[r]], the same otherwise.
void gather_add(Exec& exec, TensorView table, std::span<const std::int32_t> ids, TensorView out);

namespace reference {
void gather(TensorView table, std::span<const std::int32_t> ids, bool add, TensorView out);
}  // namespace reference

}  // namespace consort
