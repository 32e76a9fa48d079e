// consort ensemble: several models, one answer. The same code as `call: ensemble` of a workflow.
#include <fmt/format.h>

#include <algorithm>

#include "protocols/cli/commands/commands.h"
#include "protocols/cli/commands/ensemble_items.h"
#include "protocols/cli/commands/ensemble_mixture.h"
#include "protocols/cli/commands/ensemble_tasks.h"
#include "protocols/cli/commands/messages.h"
#include "protocols/cli/commands/model_files.h"
#include "protocols/cli/engine.h"
#include "scheduler/schema/schema.h"
#include "scheduler/workflow/call_kinds.h"

namespace consort {
namespace {

struct Flags {
  std::string task, combine, prompt, prompt_file, messages, format, answer, on_error;
  std::vector<std::string> members, weights, candidates, choices, stop, signals, files, labels;
  std::string contrast;
  int max_tokens = 256, min_members = 0, top = 5;
  double temperature = 0.7, top_p = 0.95;
  int top_k = 0;
  bool raw = false;
  MixtureFlags mixture;
  std::vector<std::string> token_flags;  // given ones that act on tokens
  bool mixes() const { return combine == "byteMixture"; }
};

Value texts(const std::vector<std::string>& list) {
  Value::Array made;
  for (const std::string& text : list) made.emplace_back(text);
  return Value::array(std::move(made));
}

Result<Value> with_prompt(const Flags& f, Value with) {
  if (!f.prompt.empty() + !f.prompt_file.empty() + !f.messages.empty() != 1)
    return fail(ErrorKind::kUsage, "give exactly one of --prompt, --prompt-file and --messages",
                "consort ensemble", "for example --prompt 'What is a fjord?'");
  if (!f.messages.empty()) {
    CONSORT_TRY(text, read_file(f.messages));
    CONSORT_TRY(json, parse_json(text, f.messages));
    CONSORT_TRY(read, read_messages(json, f.messages + "#"));
    return with.with("messages", json);
  }
  std::string text = f.prompt;
  if (!f.prompt_file.empty()) {
    CONSORT_TRY(bytes, read_file(f.prompt_file));
    text = std::move(bytes);
  }
  if (f.raw) return with.with("prompt", std::move(text));
  const Value message = Value::object({{"role", "user"}, {"content", std::move(text)}});
  return with.with("messages", Value::array({message}));
}

Result<Value> with_weights(const Flags& f, Value with) {
  CONSORT_TRY(weights, parse_weights(f.weights, f.members.size()));
  if (weights.empty()) return with;
  Value::Array numbers(weights.begin(), weights.end());
  return with.with("weights", Value::array(std::move(numbers)));
}

// Strings of the members' union have no top-p of their own, and K says how many each member brings.
Result<Value> with_unite(const Flags& f, Value with) {
  if (std::find(f.token_flags.begin(), f.token_flags.end(), "--top-p") != f.token_flags.end())
    return fail(ErrorKind::kUsage, "--top-p does not go with --combine unite", "consort ensemble generate",
                "give --top-k: so many of each member's likeliest tokens go into the union");
  with = with.with("maxTokens", f.max_tokens).with("temperature", f.temperature);
  if (f.top_k > 0) with = with.with("options", Value::object({{"topK", f.top_k}}));
  if (!f.stop.empty()) with = with.with("stop", texts(f.stop));
  return with;
}

Result<Value> with_mixture(const Flags& f, Value with, bool json) {
  if (!f.token_flags.empty())
    return fail(ErrorKind::kUsage, f.token_flags.front() + " does not go with --combine byteMixture",
                "consort ensemble generate", "members write bytes: give --max-bytes and --temperature");
  with = with.with("temperature", f.temperature).with("options", mixture_options(f.mixture, json));
  if (!f.stop.empty()) with = with.with("stop", texts(f.stop));
  if (!f.mixture.signals_at.empty())
    with = with.with("signalsAt",
                     Value::array(Value::Array(f.mixture.signals_at.begin(), f.mixture.signals_at.end())));
  return with;
}

// The options of the call from the flags; `json`: everything is to be told.
Result<Value> call_options(const Flags& f, bool json) {
  const bool choose = f.task == "classify";
  Value with = Value::object({{"task", choose ? "choose" : "generate"}, {"members", texts(f.members)}});
  if (!f.combine.empty()) with = with.with("combine", f.combine);
  CONSORT_TRY(prompted, with_prompt(f, std::move(with)));
  CONSORT_TRY(weighted, with_weights(f, std::move(prompted)));
  with = std::move(weighted);
  if (!f.format.empty()) with = with.with("template", f.format);
  if (!f.answer.empty()) with = with.with("options", Value::object({{"answer", f.answer}}));
  if (!f.on_error.empty()) with = with.with("onMemberError", f.on_error);
  if (f.min_members > 0) with = with.with("minMembers", f.min_members);
  if (!f.candidates.empty()) with = with.with("candidates", texts(f.candidates));
  if (!f.choices.empty()) with = with.with("choices", texts(f.choices));
  if (!f.signals.empty()) with = with.with("signals", texts(f.signals));
  if (!f.contrast.empty()) with = with.with("contrast", Value::object({{"prompt", f.contrast}}));
  if (choose) return with;
  if (f.mixes()) return with_mixture(f, std::move(with), json);
  if (any_given(f.mixture))
    return fail(ErrorKind::kUsage,
                "pool, alpha, prune, all-cuts, max-bytes, beams, heal, drafter, draft-bytes, accept and signals-at are of one "
                "strategy",
                "consort ensemble generate", "add --combine byteMixture");
  if (f.combine == "unite") return with_unite(f, std::move(with));
  with = with.with("maxTokens", f.max_tokens).with("temperature", f.temperature).with("topP", f.top_p);
  if (f.top_k > 0) with = with.with("topK", f.top_k);
  if (!f.stop.empty()) with = with.with("stop", texts(f.stop));
  return with;
}

void print_table(Console& console, const Value& output) {
  console.line(output.get("text").as_string());
  for (const Value& m : output.get("members").as_array()) {
    const Value* wrote = m.find("wrote");
    const Value error = m.get("error");
    std::string answer = (wrote != nullptr ? *wrote : m.get("answer")).is_string()
                             ? (wrote != nullptr ? *wrote : m.get("answer")).as_string()
                             : "";
    if (const Value* agreed = m.find("agreed"))
      answer = fmt::format("would itself have gone on so at {:.0f} of 100 places", 100 * agreed->as_number());
    console.note(fmt::format(
        "   {:<24} weight {:.2f}  score {:>8.3f}  {:>5} tokens {:>7.0f} ms  {}", m.get("name").as_string(),
        m.get("weight").as_number(), m.get("score").as_number(), m.get("tokens").as_integer(),
        m.get("milliseconds").as_number(), error.is_string() ? "failed: " + error.as_string() : answer));
  }
  if (const Value* ranking = output.find("ranking"))
    for (const Value& row : ranking->as_array())
      console.note(
          fmt::format("   {:>8.4f}  {}", row.get("probability").as_number(), row.get("answer").as_string()));
  const Value& combined = output.get("combined");
  std::string doubts;
  for (const auto& [name, value] : output.get("signals").as_object())
    doubts += fmt::format("{} {} {:.3f}", doubts.empty() ? "" : ",", name, value.as_number());
  console.note("[" + combined.get("strategy").as_string() + ":" + doubts + "]");
}

boost::asio::awaitable<Result<TaskOutcome>> act(TaskHandler& handler, TaskContext& context, Value with) {
  auto running = handler.run(context, std::move(with));
  co_return co_await std::move(running);
}

// Classifiers over files.
Result<int> run_files(CliContext& c, const Flags& f) {
  if (!f.choices.empty() || !f.prompt.empty() || !f.prompt_file.empty() || !f.messages.empty())
    return fail(ErrorKind::kUsage, "files are judged by classifiers, prompts and choices by language models",
                "consort ensemble classify", "give files, or a prompt with --choices");
  Value with = Value::object({{"task", "classify"}, {"members", texts(f.members)}, {"topK", f.top}});
  if (!f.combine.empty()) with = with.with("combine", f.combine);
  CONSORT_TRY(weighted, with_weights(f, std::move(with)));
  with = std::move(weighted);
  if (!f.on_error.empty()) with = with.with("onMemberError", f.on_error);
  if (f.min_members > 0) with = with.with("minMembers", f.min_members);
  if (!f.labels.empty()) with = with.with("labels", texts(f.labels));
  if (!f.signals.empty()) with = with.with("signals", texts(f.signals));
  return classify_files(c, std::move(with), f.files);
}

Result<int> run(CliContext& c, const Flags& f) {
  if (!f.files.empty()) return run_files(c, f);
  if (f.task == "classify" && f.choices.empty())
    return fail(ErrorKind::kUsage, "neither files nor choices are given", "consort ensemble classify",
                "give files, or a prompt with --choices");
  CONSORT_TRY(with, call_options(f, c.options.json));
  CONSORT_TRY(engine, Engine::start(c));
  const auto kinds = engine->call_kinds();
  TaskHandler* handler = kinds->find("ensemble");
  if (handler == nullptr) return fail(ErrorKind::kUnsupported, "this build has no call: ensemble");
  CONSORT_TRY(schema, Schema::compile(handler->options_schema()));
  CONSORT_CHECK_OK(schema.check(with));
  TaskContext context;
  context.task_pointer = "/ensemble";
  context.seed = f.task == "generate" && f.temperature > 0 ? engine->seed() : 0;
  context.stop = c.stop.get_token();
  auto running = act(*handler, context, std::move(with));
  CONSORT_TRY(outcome, engine->wait(std::move(running)));
  if (c.options.json)
    c.console.result(outcome.output);
  else
    print_table(c.console, outcome.output);
  return 0;
}

void add_common(Command sub, Flags& f) {
  sub.add_option("--members", f.members, "model ids or paths, separated by commas").required().delimiter(',');
  sub.add_option("--combine", f.combine, "vote, weightedVote, rank, linearPool, logPool, byteMixture or unite");
  sub.add_option("--prompt", f.prompt, "prompt text (one user message, unless --raw)");
  sub.add_option("--prompt-file", f.prompt_file, "prompt bytes from a file");
  sub.add_option("--messages", f.messages, "JSON file: [{\"role\", \"content\"}, ...]");
  sub.add_option("--template", f.format,
                 "plain: contents joined by a blank line, for models without a template");
  sub.add_flag("--raw", f.raw, "no chat template");
  sub.add_option("--weights", f.weights, "one a member, separated by commas").delimiter(',');
  sub.add_option("--min-members", f.min_members, "with --on-member-error report");
  sub.add_option("--on-member-error", f.on_error, "fail (default) or report");
  sub.add_option("--signals", f.signals, "entropy,margin,disagreement,confidence (default all)")
      .delimiter(',');
}

void add_generation(Command sub, Flags& f) {
  sub.add_option("--candidates", f.candidates, "rank: a further candidate; may stand several times");
  sub.add_option("--contrast", f.contrast, "rank: a prompt without the evidence");
  sub.add_option("--answer", f.answer, "votes: text, number, letter or boolean");
  sub.add_option("--max-tokens", f.max_tokens, "at most this many new tokens").show_default();
  sub.add_option("--temperature", f.temperature, "0 = greedy").show_default();
  sub.add_option("--top-k", f.top_k, "keep the K likeliest tokens (0 = all; unite: 10)").show_default();
  sub.add_option("--top-p", f.top_p, "keep the likeliest tokens of this mass").show_default();
  sub.add_option("--stop", f.stop, "stop before this text; may stand several times");
  add_mixture_flags(sub, f.mixture);
}

}  // namespace

void add_ensemble(Command app, CliContext& c) {
  auto group = app.add_subcommand("ensemble", "several models, one answer");
  group.require_subcommand();
  const std::pair<const char*, const char*> tasks[] = {
      {"generate", "members write answers, a strategy combines them"},
      {"classify", "members label files, or judge the given choices"}};
  for (const auto& [task, about] : tasks) {
    auto sub = group.add_subcommand(task, about);
    auto f = std::make_shared<Flags>();
    f->task = task;
    add_common(sub, *f);
    if (f->task == "generate") add_generation(sub, *f);
    if (f->task == "classify") {
      sub.add_option("files", f->files, "classifiers: the files that they judge");
      sub.add_option("--labels", f->labels, "classifiers: zero-shot labels, separated by commas")
          .delimiter(',');
      sub.add_option("--top", f->top, "classifiers: how many labels").show_default();
      sub.add_option("--choices", f->choices, "language models: what to choose from, separated by commas")
          .delimiter(',');
    }
    sub.callback([&c, f, sub] {
      for (const char* flag : {"--max-tokens", "--top-p", "--top-k"})
        if (f->task == "generate" && sub.given(flag)) f->token_flags.emplace_back(flag);
      c.action = [&c, f] { return run(c, *f); };
    });
  }
  add_ensemble_embed(group, c);
  add_ensemble_score(group, c);
}

}  // namespace consort
