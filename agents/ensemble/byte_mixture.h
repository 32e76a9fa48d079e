// byteMixture's options. Unlike the strategies of strategy.h it combines members while a text comes into
// being, not what they have said afterwards: there is no table of it. The step's arithmetic is
// scheduler/decode (byte_combiner, byte_search), the covers are models/alphabet.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "models/alphabet/cover_options.h"
#include "scheduler/decode/byte_search.h"
#include "scheduler/value/value.h"

namespace consort {

inline constexpr std::string_view kByteMixture = "byteMixture";

// One member drafts, all verify.
struct SpeculationOptions {
  std::string drafter;  // a member's name; empty: the first
  int bytes = 16;       // drafted at once, at most
  double least = 0.6;   // it stops where it gives no symbol so much: there the others' word is asked for
};

struct ByteMixtureOptions {
  ByteSearchOptions search;  // without seed, stop strings, weights and temperature: the call's
  CoverOptions cover;
  int heal = 0;
  std::optional<SpeculationOptions> speculation;
};

const Value& byte_mixture_schema();
// Checks `options` (an object, or null) against the schema and reads it. Errors: kInvalid.
Result<ByteMixtureOptions> read_byte_mixture(const Value& options);

}  // namespace consort
