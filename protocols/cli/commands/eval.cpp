// consort eval: a task file, several members, every strategy; tables, results and a report.
#include <filesystem>

#include <fmt/format.h>

#include "protocols/cli/commands/commands.h"
#include "protocols/cli/eval/evaluate.h"

namespace consort {

void add_eval(Command app, CliContext& c) {
  auto sub = app.add_subcommand(
      "eval",
      "members and strategies on a task file: prediction table, measures with intervals, tests, report");
  auto f = std::make_shared<EvalFlags>();
  sub.add_option("--task", f->task, "task file: JSON Lines, the first line is its header").required();
  sub.add_option("--header", f->header, "the header as a file of its own");
  sub.add_option("--members", f->members,
                 "model ids or paths, or names of imported rows, separated by commas")
      .delimiter(',');
  sub.add_option("--import", f->imports, "prediction rows as JSON Lines; may stand several times");
  sub.add_option("--combine", f->combine,
                 "strategies, separated by commas, in quotes where a name has a blank (default: all)")
      .delimiter(',');
  sub.add_option("--out", f->out, "folder for tables, results and report").required();
  sub.add_option("--fit-fraction", f->fit_fraction,
                 "share of the items without a split that weights and temperatures are fitted on")
      .show_default();
  sub.add_option("--limit", f->limit, "at most this many items (training items apart), drawn by the seed")
      .in_range(2, 1 << 30);
  sub.add_option("--control", f->control,
                 "best: the best member asked as often as the ensemble's compute pays for; none")
      .one_of({"best", "none"})
      .show_default();
  sub.add_option("--resamples", f->resamples, "of the bootstrap and the permutation tests")
      .in_range(100, 1000000)
      .show_default();
  sub.add_flag("--chat", f->chat, "language models: through the chat template");
  sub.callback([&c, f] { c.action = [&c, f] { return run_eval(c, *f); }; });
}

}  // namespace consort
