// The sub-commands of `consort ensemble` that stand in files of their own, and what they share.
#pragma once

#include <string>
#include <vector>

#include "memory/base/status.h"
#include "protocols/cli/context.h"

namespace consort {

void add_ensemble_score(Command group, CliContext& c);

// The numbers of --weights, one a member; empty stays empty. Errors: kUsage.
Result<std::vector<double>> parse_weights(const std::vector<std::string>& texts, std::size_t members);

}  // namespace consort
