// consort ensemble score --combine byteMixture | chunkMixture.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocols/cli/context.h"

namespace consort {

struct CodeFlags {
  std::string pool, fit_file;
  std::optional<double> alpha, prune;
  bool all_cuts = false, trajectory = false;
  bool any_given() const {
    return !pool.empty() || !fit_file.empty() || alpha || prune || all_cuts || trajectory;
  }
};
void add_code_flags(Command sub, CodeFlags& flags);

struct CodeJob {
  std::vector<std::string> members;
  std::vector<double> weights;  // one a member, or empty
  std::string combine, text;
  int context = 0;
  bool report_errors = false;
  int min_members = 1;
};
Result<int> score_codes(CliContext& c, const CodeJob& job, const CodeFlags& flags);

}  // namespace consort
