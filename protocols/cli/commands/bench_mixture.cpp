// bench mixture: one text by several models together, byte by byte, against the same models one after the
// other over as many tokens as the text has for each; and the same text with each of them as the drafter.
#include <fmt/format.h>

#include <algorithm>

#include "protocols/cli/commands/bench_tools.h"
#include "protocols/cli/commands/model_files.h"
#include "scheduler/workflow/call_kinds.h"

namespace consort::bench {
namespace {

constexpr const char* kMembers[] = {kTextModel, "gemma-3-270m"};
constexpr const char* kPrompts[] = {
    "The lighthouse keeper wrote in the evening what the day had brought.",
    "A list of things to look at before a small boat leaves the harbour:\n",
    "def moving_average(values, width):\n    \"\"\"Mean of the last `width` values at each place.\"\"\"\n",
    "In the history of printing, the step from carved blocks to movable letters"};

struct Drafted {  // the text with a drafter
  double ms = 0, kept = 0, passes = 0;
  bool same = false;  // as without
};
struct Text {
  std::string text;
  double ms = 0;
  std::int64_t forwards = 0, passes = 0;
  Value speculation;
};
struct Round {
  double together_ms = 0, apart_ms = 0, forwards_per_token = 0;
  std::size_t bytes = 0;
  std::vector<Drafted> drafted;  // [members]
};

boost::asio::awaitable<Result<TaskOutcome>> act(TaskHandler& handler, TaskContext& context, Value with) {
  auto running = handler.run(context, std::move(with));
  co_return co_await std::move(running);
}

struct Rig {
  Machine machine;
  std::unique_ptr<Engine> engine;
  std::shared_ptr<const CallKinds> kinds;
  std::vector<std::string> names;
  std::vector<ModelHandle> handles;
  std::vector<std::shared_ptr<const Tokenizer>> tokenizers;

  // The mixture's text; drafter: a member's index, -1 for none.
  Result<Text> together(const char* prompt, int bytes, int drafter) {
    Value options = Value::object({{"maxBytes", bytes}});
    if (drafter >= 0)
      options = options.with("speculate",
                             Value::object({{"drafter", names[static_cast<std::size_t>(drafter)]}}));
    Value::Array members(names.begin(), names.end());
    Value with = Value::object({{"members", Value::array(std::move(members))},
                                {"combine", "byteMixture"},
                                {"prompt", prompt},
                                {"temperature", 0.0},
                                {"options", std::move(options)}});
    TaskContext context;
    context.task_pointer = "/bench";
    const auto begin = Clock::now();
    auto running = act(*kinds->find("ensemble"), context, std::move(with));
    CONSORT_TRY(outcome, engine->wait(std::move(running)));
    Text out;
    out.ms = milliseconds_since(begin);
    for (const Value& m : outcome.output.get("members").as_array()) {
      out.forwards += m.get("forwards").as_integer();
      out.passes += m.get("passes").as_integer();
    }
    out.speculation = outcome.output.get("combined").get("speculation");
    out.text = outcome.output.get("answer").as_string();
    return out;
  }
};

Result<Rig> start(CliContext& c, const Flags& f) {
  Rig rig;
  std::string list = f.model;
  if (list.empty()) rig.names.assign(std::begin(kMembers), std::end(kMembers));
  for (std::size_t at = 0; !list.empty() && at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    rig.names.push_back(list.substr(at, comma - at));
    at = comma + 1;
  }
  for (const std::string& name : rig.names) {
    CONSORT_TRY(files, open_text_model(c, name));
    rig.tokenizers.push_back(std::move(files.tokenizer));
  }
  rig.machine = measure_machine(c);
  CONSORT_TRY(engine, Engine::start(c));
  rig.engine = std::move(engine);
  rig.kinds = rig.engine->call_kinds();
  for (const std::string& name : rig.names) {
    CONSORT_TRY(handle, rig.engine->acquire(name));
    rig.handles.push_back(std::move(handle));
  }
  return rig;
}

Drafted compare(const Text& plain, const Text& drafted) {
  const double count = static_cast<double>(drafted.speculation.get("drafted").as_integer());
  return {drafted.ms / plain.ms,
          count > 0 ? static_cast<double>(drafted.speculation.get("kept").as_integer()) / count : 0,
          static_cast<double>(drafted.passes) / static_cast<double>(plain.passes),
          drafted.text == plain.text};
}

// Of each member as the drafter: medians over the rounds.
Value drafters_value(const std::vector<std::string>& names, const std::vector<Round>& rounds) {
  Value::Array out;
  for (std::size_t m = 0; m < names.size(); ++m) {
    std::vector<double> times, kept, passes;
    int same = 0;
    for (const Round& round : rounds) {
      times.push_back(round.drafted[m].ms);
      kept.push_back(round.drafted[m].kept);
      passes.push_back(round.drafted[m].passes);
      same += round.drafted[m].same ? 1 : 0;
    }
    Value::Object row{{"drafter", names[m]}, {"same_texts", same}};
    const std::pair<const char*, const std::vector<double>*> columns[] = {
        {"time_over_without", &times}, {"kept", &kept}, {"passes_over_without", &passes}};
    for (const auto& [name, values] : columns) {
      Value::Object samples;
      append_samples(samples, name, *values);
      row.emplace_back(name, Value::object(std::move(samples)));
    }
    out.push_back(Value::object(std::move(row)));
  }
  return Value::array(std::move(out));
}

Result<Round> one_round(Rig& rig, const char* prompt, int bytes) {
  Round round;
  std::int64_t tokens = 0;
  CONSORT_TRY(plain, rig.together(prompt, bytes, -1));
  const std::string& text = plain.text;
  round.together_ms = plain.ms;
  round.bytes = text.size();
  if (text.size() < 16)
    return fail(ErrorKind::kRuntime, fmt::format("the mixture wrote {} bytes only", text.size()),
                "bench mixture");
  for (std::size_t m = 0; m < rig.handles.size(); ++m) {
    const auto count = static_cast<int>(rig.tokenizers[m]->encode(text).size());
    const GenerateRequest request =
        plain_request(rig.tokenizers[m]->encode(prompt, {.add_special = true}), count);
    double wall = 0;
    CONSORT_TRY(answers, generate_all(*rig.engine, rig.handles[m], {request}, wall));
    if (static_cast<int>(answers.front().token_ids.size()) != count)
      return fail(ErrorKind::kRuntime, "a model wrote another number of tokens than was asked",
                  "bench mixture");
    round.apart_ms += wall;
    tokens += count;
  }
  round.forwards_per_token = static_cast<double>(plain.forwards) / static_cast<double>(tokens);
  for (std::size_t m = 0; m < rig.names.size(); ++m) {
    CONSORT_TRY(drafted, rig.together(prompt, bytes, static_cast<int>(m)));
    round.drafted.push_back(compare(plain, drafted));
  }
  return round;
}

}  // namespace

Result<Value> mixture(CliContext& c, const Flags& f) {
  CONSORT_TRY(rig, start(c, f));
  const int bytes = 4 * (f.tokens_given ? f.tokens : 48);
  CONSORT_TRY(warm, one_round(rig, kPrompts[0], 32));
  (void)warm;
  Progress progress(c.console, "mixture", "rounds");
  std::vector<double> rates, ratios, forwards;
  std::vector<Round> rounds;
  for (int round = 0; round < f.rounds; ++round) {
    CONSORT_TRY(r, one_round(rig, kPrompts[static_cast<std::size_t>(round) % std::size(kPrompts)], bytes));
    rates.push_back(static_cast<double>(r.bytes) / r.together_ms * 1000);
    ratios.push_back(r.together_ms / r.apart_ms);
    forwards.push_back(r.forwards_per_token);
    rounds.push_back(r);
    progress.update(static_cast<std::uint64_t>(round) + 1, static_cast<std::uint64_t>(f.rounds));
  }
  progress.finish();
  Value::Array names(rig.names.begin(), rig.names.end());
  Value::Object out{{"name", "mixture"},
                    {"model", Value::array(std::move(names))},
                    {"threads", rig.machine.threads},
                    {"isa", std::string(isa_name(rig.machine.isa))},
                    {"rounds", f.rounds}};
  append_samples(out, "bytes_per_s", rates);
  Value::Object ratio, rows;
  append_samples(ratio, "time_over_one_after_the_other", ratios);
  append_samples(rows, "forwards_per_token", forwards);
  out.emplace_back("ratio", Value::object(std::move(ratio)));
  out.emplace_back("forwards", Value::object(std::move(rows)));
  out.emplace_back("speculation", drafters_value(rig.names, rounds));
  out.emplace_back("bytes", bytes);
  out.emplace_back("roof", roof_value(rig.machine));
  return Value::object(std::move(out));
}

}  // namespace consort::bench
