// The work of `consort probe apply` and `consort probe show`.
#pragma once

#include <string>

#include "protocols/cli/context.h"

namespace consort {

struct ProbeApplyFlags {
  std::string probe, data, input, as;
};

// One line of JSON for each item: {predictions} or {parts}, with `row` for a table's rows; without --data the
// items are JSON Lines on standard input, as for `embed`. An item's failure is {error} on its line and exit
// status 3. Errors: those of the file, the table and the models.
Result<int> run_probe_apply(CliContext& context, const ProbeApplyFlags& flags);

// What is in a probe's file and how it scored when it was fitted.
Result<int> run_probe_show(CliContext& context, const std::string& path);

}  // namespace consort
