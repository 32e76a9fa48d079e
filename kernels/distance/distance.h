// What the retrieval memory compares vectors with, for each instruction set. The memory includes no kernel:
// these are injected into its RetrievalOptions by main. All give the bits of the portable functions there.
#pragma once

#include "kernels/cpu/isa.h"
#include "memory/retrieval/row_codes.h"
#include "memory/retrieval/token_vectors.h"
#include "memory/retrieval/vector_index.h"

namespace consort {

// Inner product of two float vectors.
DotFunction dot_function(Isa isa);
// Inner products of rows of 8-bit integers with a query of 16-bit ones.
CodeDotsFunction code_dots_function(Isa isa);
// Late interaction: the sum over the query's rows of the best inner product with a row of the text.
MaxSimFunction max_sim_function(Isa isa);

}  // namespace consort
