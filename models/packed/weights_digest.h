// The digest by which the weights of a model are known: in every run's record, and as the name of the file
// that holds them packed.
#pragma once

#include <string>

#include "kernels/exec/exec.h"
#include "models/formats/weight_source.h"

namespace consort {

// A digest of all weights: XXH3-128, hex, over the name, type, dims and XXH3-128 of the bytes of every tensor
// in file order. Hashed on the pool (about 10 ms for 100 MB). Metadata and tokenizer are not part of it.
std::string weights_digest(const WeightSource& source, Exec& exec);
// The same on the calling thread.
std::string weights_digest(const WeightSource& source);

}  // namespace consort
