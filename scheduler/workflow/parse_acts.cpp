#include "scheduler/workflow/parser.h"

namespace consort::workflow {
namespace {

bool is_dynamic(const Value& value) {
  if (value.is_string()) return value.as_string().find("${") != std::string::npos;
  if (value.is_array()) {
    for (const Value& item : value.as_array())
      if (is_dynamic(item)) return true;
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.as_object())
      if (is_dynamic(member)) return true;
  }
  return false;
}

}  // namespace

void Parser::parse_call(ObjectReader& reader, Task& task) {
  CallTask act;
  act.kind = reader.text("call", true).value_or("");
  task.kind = "call:" + act.kind;
  const Value* with = reader.take("with");
  const Value given = with ? *with : Value::object();
  if (!given.is_object())
    reader.report("with", "must be an object, is " + std::string(type_name(given.type())));
  act.with = compile(given, reader.at("with"));
  if (const Value* stream = reader.take("stream")) act.stream = parse_stream(*stream, reader.at("stream"));
  act.handler = kinds_.share(act.kind);
  if (!act.handler) {
    if (reader.has("call") && !act.kind.empty()) {
      static constexpr std::string_view kLater[] = {
          "generate", "chat",     "embed",    "classify", "rerank",  "score", "infer", "ensemble",
          "route",    "retrieve", "remember", "approve",  "distill", "http",  "mcp",   "a2a"};
      bool later = false;
      for (std::string_view word : kLater) later = later || word == act.kind;
      add_finding(findings_, reader.at("call"),
                  (later ? "call kind '" : "unknown call kind '") + act.kind.substr(0, 80) +
                      (later ? "' is not executed by this build, which has: " : "'; this build has: ") +
                      kinds_.names(),
                  later ? "unsupported" : "invalid");
    }
  } else if (given.is_object()) {
    auto [found, fresh] = options_.try_emplace(act.kind);
    if (fresh) found->second = compile_schema(act.handler->options_schema(), reader.at("call"), findings_);
    act.options = found->second;
    check_with(given, act.handler->options_schema(), reader.at("with"));
  }
  task.act = std::move(act);
}

// What can be said before the expressions are evaluated: all of it when there are none, otherwise unknown and
// missing members and the members without expressions.
void Parser::check_with(const Value& with, const Value& options, const std::string& pointer) {
  if (!is_dynamic(with)) {
    if (SchemaPtr schema = compile_schema(options, pointer, findings_))
      check_schema(*schema, with, pointer, findings_);
    return;
  }
  const Value properties = options.get("properties");
  const Value* closed = options.find("additionalProperties");
  for (const auto& [key, member] : with.as_object()) {
    const std::string at = pointer_join(pointer, key);
    const Value* property = properties.find(key);
    if (!property) {
      if (closed && closed->is_bool() && !closed->as_bool() && properties.is_object())
        report(at, "unknown key '" + key.substr(0, 80) + "'");
      continue;
    }
    if (is_dynamic(member) || !property->is_object()) continue;
    Value whole = *property;
    for (std::string_view defs : {"$defs", "definitions"})
      if (const Value* shared = options.find(defs); shared && !whole.find(defs))
        whole = whole.with(defs, *shared);
    if (SchemaPtr schema = compile_schema(whole, at, findings_)) check_schema(*schema, member, at, findings_);
  }
  const Value required = options.get("required");
  if (!required.is_array()) return;
  for (const Value& key : required.as_array())
    if (key.is_string() && !with.find(key.as_string()))
      report(pointer, "'" + key.as_string() + "' is missing");
}

std::optional<Stream> Parser::parse_stream(const Value& value, const std::string& pointer) {
  Stream stream;
  ObjectReader reader(findings_, value, pointer);
  const std::string as = reader.text("as", true).value_or("token");
  if (as == "value")
    stream.as = Stream::As::kValue;
  else if (as == "event")
    stream.as = Stream::As::kEvent;
  else if (as != "token")
    reader.report("as", "must be token, value or event");
  stream.channel = reader.text("channel").value_or("");
  return stream;
}

void Parser::parse_set(ObjectReader& reader, Task& task) {
  task.kind = "set";
  const Value* values = reader.require("set");
  if (!values) return;
  if (!values->is_object() && !(values->is_string() && is_dynamic(*values)))
    reader.report("set", "must be an object or an expression that gives one");
  task.act = SetTask{compile(*values, reader.at("set"))};
}

void Parser::parse_raise(ObjectReader& reader, Task& task) {
  task.kind = "raise";
  const Value* raise = reader.require("raise");
  if (!raise) return;
  ObjectReader inner(findings_, *raise, reader.at("raise"));
  const Value* error = inner.require("error");
  if (!error) return;
  if (is_dynamic(*error) && error->is_string()) {
    task.act = RaiseTask{compile(*error, inner.at("error"))};
    return;
  }
  ObjectReader fields(findings_, *error, inner.at("error"));
  fields.text("type", true);
  for (std::string_view key : {"title", "detail", "instance"}) fields.text(key);
  const Value* status = fields.take("status");
  if (status && !is_dynamic(*status)) fields.integer("status", 100, 599);
  task.act = RaiseTask{compile(*error, inner.at("error"))};
}

void Parser::parse_wait(ObjectReader& reader, Task& task) {
  task.kind = "wait";
  task.act = WaitTask{reader.duration("wait", true).value_or(Duration(0))};
}

void Parser::parse_run(ObjectReader& reader, Task& task) {
  task.kind = "run";
  RunTask act;
  const Value* run = reader.require("run");
  if (!run) return;
  ObjectReader inner(findings_, *run, reader.at("run"));
  for (std::string_view word : {"container", "script", "shell", "await", "return"}) inner.unsupported(word);
  if (const Value* workflow = inner.require("workflow")) {
    ObjectReader fields(findings_, *workflow, inner.at("workflow"));
    const std::string space = fields.text("namespace").value_or(document_.space);
    const std::string name = fields.text("name", true).value_or("");
    const std::string version = fields.text("version").value_or("");
    if (const Value* input = fields.take("input")) act.input = compile(*input, fields.at("input"));
    if (name.empty()) {
      if (fields.has("name")) fields.report("name", "must not be empty");
    } else if (!source_) {
      fields.report("no other workflows can be reached from here");
    } else {
      Result<WorkflowPtr> found = source_->find(space, name, version);
      if (found)
        act.workflow = std::move(*found);
      else
        add_finding(findings_, fields.pointer(), found.error().what,
                    found.error().kind == ErrorKind::kUnsupported ? "unsupported" : "invalid");
    }
  }
  task.act = std::move(act);
}

void Parser::parse_switch(ObjectReader& reader, Task& task) {
  task.kind = "switch";
  SwitchTask act;
  const Value* cases = reader.require("switch");
  if (!cases) return;
  const std::string pointer = reader.at("switch");
  if (!cases->is_array() || cases->size() == 0)
    return report(pointer, "must be an array of {name: {when, then}} with at least one case");
  bool otherwise = false;
  for (std::size_t i = 0; i < cases->size(); ++i) {
    const Value& item = cases->as_array()[i];
    const std::string at = pointer_join(pointer, i);
    if (!item.is_object() || item.size() != 1) {
      report(at, "must be an object with one member, the case's name");
      continue;
    }
    const auto& [name, body] = item.as_object().front();
    SwitchCase one;
    one.name = name;
    one.pointer = pointer_join(at, name);
    ObjectReader fields(findings_, body, one.pointer);
    one.when = condition(fields.take("when"), fields.at("when"));
    if (const Value* then = fields.require("then")) one.then = parse_then(*then, fields.at("then"));
    if (auto limit = fields.integer("limit", 1, 1'000'000'000))
      one.limit = static_cast<std::uint64_t>(*limit);
    if (fields.is_object() && !fields.has("when")) {
      if (otherwise) report(one.pointer, "a second case without 'when'");
      otherwise = true;
    }
    act.cases.push_back(std::move(one));
  }
  task.act = std::move(act);
}

}  // namespace consort::workflow
