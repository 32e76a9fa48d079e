// The work of `consort probe fit`, from the flags to the file.
#pragma once

#include <string>
#include <vector>

#include "protocols/cli/context.h"

namespace consort {

struct ProbeFitFlags {
  std::vector<std::string> models, targets, missing;
  std::string data, input, as, out;
  std::string kind = "auto", level = "item", input_type, split = "random", on_error = "fail", length = "unit";
  std::vector<double> penalties;  // empty: those of ProbeOptions
  int folds = 5;
  double test_share = 0;
};

// Writes flags.out and prints what was fitted and how it scored on examples that were held out. The same
// data, weights and seed (--seed, default 0) give the same file. Errors: kUsage, those of the table, its rows
// and labels with row and column, those of the models, kCancelled.
Result<int> run_probe_fit(CliContext& context, const ProbeFitFlags& flags);

}  // namespace consort
