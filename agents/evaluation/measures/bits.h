// Code length a byte: the only perplexity that compares across tokenizers.
#pragma once

#include <span>

#include "memory/base/status.h"

namespace consort::measures {

// nats / (ln 2 * bytes), bytes of UTF-8. Errors: kInvalid for no bytes, nats that are negative or NaN.
Result<double> bits_per_byte(double nats, double bytes);
// Of a corpus: sum of nats over sum of bytes (not the mean of ratios). Errors: as above, unequal sizes, no
// texts.
Result<double> bits_per_byte(std::span<const double> nats, std::span<const double> bytes);

}  // namespace consort::measures
