#include "scheduler/workflow/duration.h"

#include <array>
#include <cmath>
#include <string>
#include <string_view>

namespace consort::workflow {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};
constexpr std::array<Unit, 5> kUnits{{{"days", 86'400'000},
                                      {"hours", 3'600'000},
                                      {"minutes", 60'000},
                                      {"seconds", 1000},
                                      {"milliseconds", 1}}};

Result<Duration> whole(double milliseconds) {
  if (!(milliseconds >= 0)) return fail(ErrorKind::kInvalid, "a duration may not be negative");
  if (milliseconds > static_cast<double>(kMaxDurationMs))
    return fail(ErrorKind::kInvalid, "a duration above ten years");
  const double rounded = std::round(milliseconds);
  if (std::abs(rounded - milliseconds) > 1e-6)
    return fail(ErrorKind::kInvalid, "a duration is counted in whole milliseconds");
  return Duration(static_cast<std::int64_t>(rounded));
}

Result<Duration> from_object(const Value& value) {
  if (value.size() == 0)
    return fail(ErrorKind::kInvalid, "an empty duration: give days, hours, minutes, seconds or milliseconds");
  double total = 0;
  for (const auto& [key, part] : value.as_object()) {
    std::int64_t unit = 0;
    for (const Unit& known : kUnits)
      if (known.name == key) unit = known.milliseconds;
    if (unit == 0) return fail(ErrorKind::kInvalid, "unknown unit '" + key + "' in a duration");
    if (!part.is_number()) return fail(ErrorKind::kInvalid, "'" + key + "' of a duration must be a number");
    if (!(part.as_number() >= 0)) return fail(ErrorKind::kInvalid, "'" + key + "' may not be negative");
    total += part.as_number() * static_cast<double>(unit);
  }
  return whole(total);
}

// P[nW][nD][T[nH][nM][nS]], digits with an optional fraction in any part.
Result<Duration> from_iso(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorKind::kInvalid, "'" + std::string(text.substr(0, 40)) +
                                         "' is not an ISO 8601 duration such as PT2.5S or P1DT2H");
  };
  if (text.size() < 2 || text.size() > 64 || text.front() != 'P') return bad();
  bool in_time = false, any = false;
  double total = 0;
  std::string_view allowed = "WD";
  std::size_t at = 1;
  while (at < text.size()) {
    if (text[at] == 'T' && !in_time) {
      in_time = true;
      allowed = "HMS";
      if (++at == text.size()) return bad();
      continue;
    }
    double number = 0, scale = 0;
    bool digits = false;
    for (; at < text.size() && ((text[at] >= '0' && text[at] <= '9') || text[at] == '.'); ++at) {
      if (text[at] == '.') {
        if (scale != 0 || !digits) return bad();
        scale = 1;
      } else if (scale != 0) {
        scale /= 10;
        number += (text[at] - '0') * scale;
      } else {
        digits = true;
        number = number * 10 + (text[at] - '0');
      }
    }
    if (!digits || at == text.size()) return bad();
    const std::size_t place = allowed.find(text[at]);
    if (place == std::string_view::npos) return bad();
    const double unit = text[at] == 'W'   ? 604'800'000.0
                        : text[at] == 'D' ? 86'400'000.0
                        : text[at] == 'H' ? 3'600'000.0
                        : text[at] == 'M' ? 60'000.0
                                          : 1000.0;
    allowed.remove_prefix(place + 1);
    total += number * unit;
    any = true;
    ++at;
  }
  if (!any) return bad();
  return whole(total);
}

}  // namespace

Result<Duration> parse_duration(const Value& value) {
  if (value.is_object()) return from_object(value);
  if (value.is_string()) return from_iso(value.as_string());
  return fail(ErrorKind::kInvalid, "a duration is an object such as {\"seconds\": 2} or ISO 8601 text");
}

}  // namespace consort::workflow
