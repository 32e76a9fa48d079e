// The page of `consort bench report`: roofs, a table with each result as a share of its own, and speed
// against rows as plots. One self-contained HTML file; the same report gives the same bytes. Pure functions.
#pragma once

#include <string>

#include "scheduler/value/value.h"

namespace consort::bench {

// What a bench's result says in one line. `share` 0: it has no roof of its own.
struct Figure {
  std::string unit;
  double value = 0, low = 0, high = 0;  // median, least, largest
  std::string bound;                    // "memory", "int16", ...
  double share = 0;                     // of what the machine allows
};
// The unit is the entry before "min". REQUIRES: a result of a bench that was not skipped.
Figure figure_of(const Value& result);

std::string report_page(const Value& report);

}  // namespace consort::bench
