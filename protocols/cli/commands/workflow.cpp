// consort workflow validate | graph | schema.
#include "agents/calls/call_kinds.h"
#include "protocols/cli/commands/commands.h"
#include "protocols/cli/commands/workflow_tools.h"
#include "protocols/json/problem_json.h"
#include "protocols/json/workflow_graph.h"

namespace consort {
namespace {

struct Flags {
  std::string file, format = "mermaid";
};

Result<int> validate(CliContext& c, const Flags& f) {
  CONSORT_TRY(loaded, load_workflow(f.file, call_kinds_for_checking()));
  if (loaded.workflow != nullptr) {
    if (c.options.json) {
      c.console.result(Value::object({{"valid", true},
                                      {"name", loaded.workflow->name()},
                                      {"version", loaded.workflow->version()},
                                      {"hash", loaded.workflow->hash()},
                                      {"findings", Value::array()}}));
    } else {
      c.console.line(f.file + ": valid (" + loaded.workflow->space() + "/" + loaded.workflow->name() + " " +
                     loaded.workflow->version() + ")");
    }
    return 0;
  }
  if (c.options.json) {
    c.console.line(findings_json(loaded.findings, f.file));
    return 3;
  }
  for (const Finding& finding : loaded.findings)
    c.console.line(f.file + "#" + finding.pointer + ": " + finding.kind + ": " + finding.message);
  return tl::unexpected(findings_error(loaded.findings, f.file));
}

Result<int> graph(CliContext& c, const Flags& f) {
  CONSORT_TRY(loaded, load_workflow(f.file, call_kinds_for_checking()));
  if (loaded.workflow == nullptr) return tl::unexpected(findings_error(loaded.findings, f.file));
  c.console.line(f.format == "svg" ? workflow_svg(*loaded.workflow) : workflow_mermaid(*loaded.workflow));
  return 0;
}

}  // namespace

void add_workflow(Command app, CliContext& c) {
  auto group = app.add_subcommand("workflow", "workflow documents: validate | graph | schema");
  group.require_subcommand();
  auto f = std::make_shared<Flags>();
  auto check = group.add_subcommand("validate", "all findings with JSON Pointers");
  check.add_option("file", f->file, "workflow document").required();
  check.callback([&c, f] { c.action = [&c, f] { return validate(c, *f); }; });
  auto picture = group.add_subcommand("graph", "the workflow as a picture");
  picture.add_option("file", f->file, "workflow document").required();
  picture.add_option("--format", f->format, "mermaid | svg").one_of({"mermaid", "svg"});
  picture.callback([&c, f] { c.action = [&c, f] { return graph(c, *f); }; });
  group.add_subcommand("schema", "the JSON Schema of workflow documents").callback([&c] {
    c.action = [&c]() -> Result<int> {
      c.console.line(workflow_schema_text(*call_kinds_for_checking()));
      return 0;
    };
  });
}

}  // namespace consort
