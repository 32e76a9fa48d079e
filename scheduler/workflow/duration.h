// Durations of the language: {days, hours, minutes, seconds, milliseconds} or ISO 8601 text ("PT1.5S").
#pragma once

#include <chrono>

#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort::workflow {

using Duration = std::chrono::milliseconds;
inline constexpr std::int64_t kMaxDurationMs = 10ll * 366 * 24 * 3600 * 1000;  // ten years

// Errors: kInvalid: wrong type, unknown or empty members, negative, above ten years, years or months (their
// length is not fixed). Fractions below a millisecond are refused rather than rounded away.
Result<Duration> parse_duration(const Value& value);

}  // namespace consort::workflow
