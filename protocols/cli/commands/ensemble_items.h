// consort ensemble embed, and consort ensemble classify over files: one answer of several models for each
// line or file.
#pragma once

#include <string>
#include <vector>

#include "protocols/cli/context.h"

namespace consort {

void add_ensemble_embed(Command group, CliContext& c);

// {file, labels, members, ...} for every file; `with` holds the options of `call: ensemble` without input. A
// file that cannot be read or judged gives {file, error} and exit status 3. Errors: those of the options.
Result<int> classify_files(CliContext& c, Value with, const std::vector<std::string>& files);

}  // namespace consort
