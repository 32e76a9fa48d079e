// consort probe: small heads on frozen embeddings: fit them on a table, apply them, look at them.
#include "protocols/cli/commands/commands.h"
#include "protocols/cli/probe/apply.h"
#include "protocols/cli/probe/fit.h"

namespace consort {
namespace {

const std::vector<std::string> kItemKinds = {"text", "smiles", "image", "file", "graph"};

void add_fit(Command group, CliContext& c) {
  auto sub = group.add_subcommand("fit", "fit heads on the embeddings of a table's items");
  auto f = std::make_shared<ProbeFitFlags>();
  sub.add_option("--model", f->models, "model ids or paths, separated by commas: embeddings side by side")
      .required()
      .delimiter(',');
  sub.add_option("--data", f->data, "the table: .csv, .tsv or JSON Lines").required();
  sub.add_option("--input", f->input, "the column that holds the items").required();
  sub.add_option("--as", f->as, "what the items are (default: what the column's name says, else text)")
      .one_of(kItemKinds);
  sub.add_option("--target", f->targets, "a column to learn; may stand several times").required();
  sub.add_option("--out", f->out, "the file to write (safetensors)").required();
  sub.add_option("--kind", f->kind,
                 "ridge (numbers), logistic (classes), or auto: numbers with a fraction or of more than ten "
                 "values are ridge")
      .one_of({"auto", "ridge", "logistic"})
      .show_default();
  sub.add_option("--level", f->level,
                 "item, or part: a cell holds a list with a label for each token or node")
      .one_of({"item", "part"})
      .show_default();
  sub.add_option("--missing", f->missing, "a text that stands for no label, beside the empty one and null");
  sub.add_option("--split", f->split,
                 "what stays together in a fold: nothing, the parts of an item, molecules of one scaffold")
      .one_of({"random", "item", "scaffold"})
      .show_default();
  sub.add_option("--folds", f->folds, "of the cross-validation that chooses the penalty")
      .in_range(2, 20)
      .show_default();
  sub.add_option("--test-share", f->test_share,
                 "share of the examples that is held aside and only judges; scaffolds: the rare ones")
      .in_range(0.0, 0.9)
      .show_default();
  sub.add_option("--penalties", f->penalties, "penalties to try, separated by commas")
      .delimiter(',')
      .positive();
  sub.add_option("--length", f->length,
                 "unit: bring every model's embedding to length 1 first; own: take it as it is")
      .one_of({"unit", "own"})
      .show_default();
  sub.add_option("--input-type", f->input_type, "put the models' query or document prefix before texts")
      .one_of({"query", "document"});
  sub.add_option("--on-error", f->on_error, "a row that cannot be read or embedded: fail, or skip it")
      .one_of({"fail", "skip"})
      .show_default();
  sub.callback([&c, f] { c.action = [&c, f] { return run_probe_fit(c, *f); }; });
}

void add_apply(Command group, CliContext& c) {
  auto sub = group.add_subcommand(
      "apply", "JSON Lines of items (as for embed), or a table's rows, to {\"predictions\"}");
  auto f = std::make_shared<ProbeApplyFlags>();
  sub.add_option("--probe", f->probe, "the file that fit wrote").required();
  auto data = sub.add_option("--data", f->data, "a table in place of standard input: .csv, .tsv, JSON Lines");
  auto input = sub.add_option("--input", f->input, "its column that holds the items").needs(data);
  data.needs(input);
  sub.add_option("--as", f->as, "what the items are (default: as in the fit)").one_of(kItemKinds).needs(data);
  sub.callback([&c, f] { c.action = [&c, f] { return run_probe_apply(c, *f); }; });
}

}  // namespace

void add_probe(Command app, CliContext& c) {
  auto group =
      app.add_subcommand("probe", "heads on frozen embeddings: numbers or classes from few examples");
  group.require_subcommand();
  add_fit(group, c);
  add_apply(group, c);
  auto show = group.add_subcommand("show", "what is in a probe's file and how it scored");
  auto path = std::make_shared<std::string>();
  show.add_option("file", *path, "the file that fit wrote").required();
  show.callback([&c, path] { c.action = [&c, path] { return run_probe_show(c, *path); }; });
}

}  // namespace consort
