#include <algorithm>
#include <array>
#include <set>

#include "scheduler/workflow/parser.h"

namespace consort::workflow {
namespace {

constexpr std::size_t kMaxNameBytes = 64;
constexpr std::array<std::string_view, 4> kFlowWords{"continue", "exit", "end", ""};

struct ActWord {
  std::string_view word;
  void (Parser::*parse)(ObjectReader&, Task&);
};

}  // namespace

Block Parser::parse_block(const Value& value, const std::string& pointer) {
  Block block;
  block.pointer = pointer;
  if (!value.is_array()) {
    report(pointer, "must be an array of {name: task}, is " + std::string(type_name(value.type())));
    return block;
  }
  if (value.size() == 0) report(pointer, "must hold at least one task");
  std::set<std::string> names;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const Value& item = value.as_array()[i];
    const std::string at = pointer_join(pointer, i);
    if (!item.is_object() || item.size() != 1) {
      report(at, "must be an object with one member, the task's name");
      continue;
    }
    const auto& [name, task] = item.as_object().front();
    const std::string here = pointer_join(at, name);
    check_task_name(name, here);
    if (!names.insert(name).second)
      report(here, "a second task named '" + name.substr(0, 80) + "' in this block");
    block.tasks.push_back(parse_task(name, task, here));
  }
  resolve_jumps(block);
  return block;
}

void Parser::check_task_name(const std::string& name, const std::string& pointer) {
  if (name.size() > kMaxNameBytes ||
      std::find(kFlowWords.begin(), kFlowWords.end(), name) != kFlowWords.end())
    report(pointer, "a task's name has 1 to 64 bytes and is not continue, exit or end");
}

Task Parser::parse_task(const std::string& name, const Value& value, const std::string& pointer) {
  Task task;
  task.name = name;
  task.pointer = pointer;
  task.seed_part = stable_hash(pointer);
  ObjectReader reader(findings_, value, pointer);
  if (!reader.is_object()) return task;
  parse_task_data(reader, task);
  parse_task_flow(reader, task);
  parse_act(reader, task);
  return task;
}

void Parser::parse_task_data(ObjectReader& reader, Task& task) {
  task.if_ = condition(reader.take("if"), reader.at("if"));
  if (const Value* input = reader.take("input")) {
    ObjectReader inner(findings_, *input, reader.at("input"));
    if (const Value* schema = inner.take("schema"))
      task.input_schema = parse_schema(*schema, inner.at("schema"));
    task.input_from = formula(inner.take("from"), inner.at("from"));
  }
  names_.push_back("output");
  if (const Value* output = reader.take("output")) {
    ObjectReader inner(findings_, *output, reader.at("output"));
    if (const Value* schema = inner.take("schema"))
      task.output_schema = parse_schema(*schema, inner.at("schema"));
    task.output_as = formula(inner.take("as"), inner.at("as"));
  }
  if (const Value* exports = reader.take("export")) {
    ObjectReader inner(findings_, *exports, reader.at("export"));
    if (const Value* schema = inner.take("schema"))
      task.export_schema = parse_schema(*schema, inner.at("schema"));
    const Value* as = inner.require("as");
    task.export_as = formula(as, inner.at("as"));
    task.export_pointer = inner.at("as");
    if (as) task.export_keys = static_export_keys(*as, task.export_keys_known);
    if (task.export_as && task.export_as->is_constant() && as && !as->is_object())
      report(inner.at("as"), "must give an object");
  }
  names_.pop_back();
}

void Parser::parse_task_flow(ObjectReader& reader, Task& task) {
  if (const Value* timeout = reader.take("timeout"))
    task.timeout = parse_timeout(*timeout, reader.at("timeout"));
  if (const Value* retry = reader.take("retry")) task.retry = parse_retry(*retry, reader.at("retry"));
  if (const Value* then = reader.take("then")) task.then = parse_then(*then, reader.at("then"));
  if (auto limit = reader.integer("limit", 1, 1'000'000'000)) task.limit = static_cast<std::uint64_t>(*limit);
  for (std::string_view word : {"budget", "idempotencyKey"}) reader.unsupported(word);
  reader.take("metadata");
  if (!reader.has("call")) reader.unsupported("stream");
}

void Parser::parse_act(ObjectReader& reader, Task& task) {
  static constexpr std::array<ActWord, 11> kActs{{{"for", &Parser::parse_for},
                                                  {"call", &Parser::parse_call},
                                                  {"fork", &Parser::parse_fork},
                                                  {"graph", &Parser::parse_graph},
                                                  {"switch", &Parser::parse_switch},
                                                  {"try", &Parser::parse_try},
                                                  {"set", &Parser::parse_set},
                                                  {"raise", &Parser::parse_raise},
                                                  {"wait", &Parser::parse_wait},
                                                  {"run", &Parser::parse_run},
                                                  {"do", &Parser::parse_do}}};
  const ActWord* found = nullptr;
  bool named = false;
  for (const ActWord& act : kActs) {
    if (!reader.has(act.word) || (act.word == "do" && reader.has("for"))) continue;
    if (found) {
      reader.report(act.word,
                    "a task does one thing, this one has '" + std::string(found->word) + "' already");
      reader.take(act.word);
      continue;
    }
    found = &act;
    named = true;
  }
  for (std::string_view word : {"emit", "listen"}) {
    named = named || reader.has(word);
    reader.unsupported(word);
  }
  if (!named)
    reader.report("names no act: one of call, do, fork, graph, for, switch, try, set, raise, wait, run");
  if (found) (this->*found->parse)(reader, task);
}

Then Parser::parse_then(const Value& value, const std::string& pointer) {
  Then then;
  if (!value.is_string() || value.as_string().empty()) {
    report(pointer, "must be continue, exit, end or the name of a task of the same block");
    return then;
  }
  const std::string& word = value.as_string();
  if (word == "exit") {
    then.where = Then::Where::kExit;
  } else if (word == "end") {
    then.where = Then::Where::kEnd;
  } else if (word != "continue") {
    then.where = Then::Where::kTask;
    then.name = word;
  }
  return then;
}

void Parser::resolve_jumps(Block& block) {
  for (std::size_t i = 0; i < block.tasks.size(); ++i) {
    Task& task = block.tasks[i];
    resolve_jump(block, i, task.then, task.limit, pointer_join(task.pointer, "then"));
    auto* choice = std::get_if<SwitchTask>(&task.act);
    if (!choice) continue;
    for (SwitchCase& one : choice->cases)
      resolve_jump(block, i, one.then, one.limit ? one.limit : task.limit, pointer_join(one.pointer, "then"));
  }
}

void Parser::resolve_jump(const Block& block, std::size_t at, Then& then, std::uint64_t limit,
                          const std::string& pointer) {
  if (then.where != Then::Where::kTask) return;
  for (std::size_t i = 0; i < block.tasks.size(); ++i) {
    if (block.tasks[i].name != then.name) continue;
    then.index = i;
    then.backward = i <= at;
    if (then.backward && limit == 0)
      report(pointer,
             "goes back to '" + then.name.substr(0, 80) + "' without a limit: the loop is unbounded");
    return;
  }
  report(pointer, "no task '" + then.name.substr(0, 80) + "' in this block");
}

std::optional<Formula> Parser::formula(const Value* value, const std::string& pointer) {
  if (!value) return std::nullopt;
  return Formula::compile(*value, Formula::Mode::kProgram, names_, pointer, findings_);
}

Formula Parser::compile(const Value& value, const std::string& pointer) {
  return Formula::compile(value, Formula::Mode::kTemplate, names_, pointer, findings_);
}

std::optional<Formula> Parser::condition(const Value* value, const std::string& pointer) {
  if (!value) return std::nullopt;
  if (!value->is_bool() && !value->is_string()) {
    report(pointer, "must be an expression, true or false, is " + std::string(type_name(value->type())));
    return std::nullopt;
  }
  return formula(value, pointer);
}

bool Parser::local_name(const std::string& name, const std::string& pointer) {
  const bool shape =
      !name.empty() && name.size() <= kMaxNameBytes && !(name[0] >= '0' && name[0] <= '9') &&
      std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
      });
  if (!shape) {
    report(pointer, "must be a name: letters, digits and '_', not beginning with a digit");
    return false;
  }
  for (std::string_view taken :
       {"input", "output", "context", "workflow", "task", "secrets", "ENV", "__loc__"}) {
    if (name != taken) continue;
    report(pointer, "'" + name + "' is a variable of the language");
    return false;
  }
  return true;
}

}  // namespace consort::workflow
