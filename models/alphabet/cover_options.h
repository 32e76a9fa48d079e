// Options of a byte cover, as requests carry them. Plain data.
#pragma once

#include "memory/base/status.h"

namespace consort {

struct CoverOptions {
  // At each byte the lightest states are given up as long as their share of the probability stays within
  // this: what is alive before normalising is at least 1 - prune.
  double prune = 1e-3;
  int max_states = 24;     // kept at one byte, at most; what this cuts more is reported
  bool canonical = false;  // only cuts into tokens that the tokenizer itself would make
  double temperature = 1;  // of the token distributions, before they become bytes
};

// Errors: kInvalid naming the option.
Status check_cover(const CoverOptions& options);

}  // namespace consort
