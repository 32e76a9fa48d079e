// A run's trace as one self-contained HTML page: answer, members side by side, retrieved notes, time line.
#pragma once

#include <string>

#include "scheduler/value/value.h"

namespace consort {

// trace: trace_to_value(); report: report_to_value(); input: the run's, null when it is not known; media:
// run_media() of it. The page loads nothing from anywhere; text from models
// is never interpreted as markup.
std::string trace_page(const Value& trace, const Value& report, const Value& input = {},
                       const Value& media = Value::object());

}  // namespace consort
