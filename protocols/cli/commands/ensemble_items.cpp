#include "protocols/cli/commands/ensemble_items.h"

#include <utility>

#include "agents/calls/ensemble/items.h"
#include "protocols/cli/commands/item_input.h"
#include "protocols/cli/commands/item_lines.h"
#include "protocols/cli/engine.h"
#include "scheduler/schema/schema.h"
#include "scheduler/workflow/call_kinds.h"

namespace consort {
namespace {

constexpr std::size_t kFilesAtATime = 16;

struct Flags {
  std::vector<std::string> members;
  std::vector<double> weights;
  std::string combine = "concatenate", input_type, on_error;
  int min_members = 0;
};

Async<Value> ask(Engine& engine, const TaskContext& context, Value with, ModelInput item) {
  auto running = ensemble_call::run_item_ensemble(engine.models(), context, std::move(with), std::move(item));
  auto outcome = co_await std::move(running);
  if (!outcome) co_return forward_error(outcome);
  co_return std::move(outcome->output);
}

// All items at once; an item's failure is its own.
ItemAnswers ask_all(Engine& engine, CliContext& c, const Value& with, std::vector<ModelInput> items) {
  TaskContext context;
  context.task_pointer = "/ensemble";
  context.stop = c.stop.get_token();
  std::vector<Async<Value>> asking;
  for (ModelInput& item : items) asking.push_back(ask(engine, context, with, std::move(item)));
  return wait_on_all(engine.io(), std::move(asking));
}

Status check_options(Engine& engine, const Value& with) {
  const TaskHandler* handler = engine.call_kinds()->find("ensemble");
  if (handler == nullptr) return fail(ErrorKind::kUnsupported, "this build has no call: ensemble");
  CONSORT_TRY(schema, Schema::compile(handler->options_schema()));
  return schema.check(with);
}

Result<int> embed(CliContext& c, const Flags& f) {
  Value::Array members, weights;
  for (const std::string& member : f.members) members.emplace_back(member);
  for (const double weight : f.weights) weights.emplace_back(weight);
  Value with = Value::object(
      {{"task", "embed"}, {"members", Value::array(std::move(members))}, {"combine", f.combine}});
  if (!f.weights.empty()) with = with.with("weights", Value::array(std::move(weights)));
  if (!f.input_type.empty()) with = with.with("inputType", f.input_type);
  if (!f.on_error.empty()) with = with.with("onMemberError", f.on_error);
  if (f.min_members > 0) with = with.with("minMembers", f.min_members);
  CONSORT_TRY(engine, Engine::start(c));
  CONSORT_CHECK_OK(check_options(*engine, with));
  for (const std::string& member : f.members)  // a member that is not there fails the command, not every line
    if (f.on_error != "report") CONSORT_CHECK_OK(engine->acquire(member));
  return answer_lines<ModelInput>(c, read_item, [&](std::vector<ModelInput> items) -> Result<ItemAnswers> {
    return ask_all(*engine, c, with, std::move(items));
  });
}

}  // namespace

Result<int> classify_files(CliContext& c, Value with, const std::vector<std::string>& files) {
  CONSORT_TRY(engine, Engine::start(c));
  CONSORT_CHECK_OK(check_options(*engine, with));
  int status = 0;
  for (std::size_t first = 0; first < files.size(); first += kFilesAtATime) {
    if (c.stop.stop_requested()) return fail(ErrorKind::kCancelled, "interrupted", files[first]);
    const std::size_t end = std::min(first + kFilesAtATime, files.size());
    std::vector<Result<ModelInput>> block;
    for (std::size_t i = first; i < end; ++i) block.push_back(read_item_file(files[i]));
    ItemAnswers answers = ask_all(*engine, c, with, items_of(block));
    print_block(c, block, std::move(answers), status, [&files, first](std::size_t place) {
      return Value::Object{{"file", files[first + place]}};
    });
  }
  return status;
}

void add_ensemble_embed(Command group, CliContext& c) {
  auto sub = group.add_subcommand("embed", "combined embeddings; JSON Lines as consort embed");
  auto f = std::make_shared<Flags>();
  sub.add_option("--members", f->members, "model ids or paths, separated by commas")
      .required()
      .delimiter(',');
  sub.add_option("--combine", f->combine, "side by side, or the mean of vectors of one dimension")
      .one_of({"concatenate", "mean"})
      .show_default();
  sub.add_option("--weights", f->weights, "one a member, separated by commas").delimiter(',').non_negative();
  sub.add_option("--input-type", f->input_type, "put the models' prefixes before a text")
      .one_of({"query", "document"});
  sub.add_option("--min-members", f->min_members, "with --on-member-error report");
  sub.add_option("--on-member-error", f->on_error,
                 "fail (default) or report; only a mean does without a member")
      .one_of({"fail", "report"});
  sub.callback([&c, f] { c.action = [&c, f] { return embed(c, *f); }; });
}

}  // namespace consort
