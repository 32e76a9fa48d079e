// The work of `consort eval`, from the flags to the files.
#pragma once

#include <string>
#include <vector>

#include "protocols/cli/context.h"

namespace consort {

struct EvalFlags {
  std::string task, header, out, control = "best";
  std::vector<std::string> members, imports, combine;
  double fit_fraction = 0.3;
  int limit = 0;  // 0 = all
  int resamples = 10000;
  bool chat = false;
};

// Writes into flags.out: predictions.jsonl, .csv and .npz, timings.csv, results.json, measures.csv,
// comparisons.csv, report.html and plots/. Everything but timings.csv is the same for the same task, rows and
// seed. Returns the exit status. Errors: kInvalid with line and pointer for the task file and imports, those
// of the members, kCancelled (130; what was asked is kept and the same command goes on from there).
Result<int> run_eval(CliContext& context, const EvalFlags& flags);

}  // namespace consort
