#include "protocols/json/workflow_shape.h"

#include "scheduler/value/utf8.h"
#include "scheduler/workflow/document.h"

namespace consort {
namespace {

using namespace workflow;

constexpr std::size_t kMaxText = 56;  // characters of a condition or list that a picture shows

std::string shorten(const std::string& text) {
  std::string out;
  std::size_t characters = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80 && ++characters > kMaxText) return out + "…";
    out.push_back(c == '\n' || c == '\r' || c == '\t' ? ' ' : c);
  }
  return out;
}

std::string formula_text(const Formula& formula) {
  const Value& source = formula.source();
  if (!source.is_string()) return shorten(write_json(source));
  std::string text = source.as_string();
  if (text.starts_with("${") && text.ends_with("}")) text = text.substr(2, text.size() - 3);
  while (text.starts_with(" ")) text.erase(0, 1);
  while (text.ends_with(" ")) text.pop_back();
  return shorten(text);
}

std::string names_of(const Value& v) {
  if (v.is_string()) return v.as_string();
  std::string out;
  if (v.is_array())
    for (const Value& one : v.as_array()) {
      const Value name = one.is_object() ? one.get("model") : one;
      out += (out.empty() ? "" : ", ") + (name.is_string() ? name.as_string() : write_json(name));
    }
  return out;
}

std::string call_detail(const CallTask& call) {
  const Value& with = call.with.source();
  std::string detail = call.kind;
  for (const char* key : {"model", "agent", "members", "namespace", "combine"})
    if (const Value* v = with.find(key)) {
      const std::string names = names_of(*v);
      if (!names.empty()) detail += " · " + names;
    }
  return shorten(detail);
}

GroupShape group_of(const Block& block, std::string label);

// Fills what is special to each act.
struct ActShape {
  TaskShape& shape;

  void operator()(const SetTask& t) const {
    const Value& v = t.values.source();
    std::string keys;
    if (v.is_object())
      for (const auto& [key, member] : v.as_object()) keys += (keys.empty() ? "" : ", ") + key;
    shape.detail = "set " + shorten(keys.empty() ? formula_text(t.values) : keys);
  }
  void operator()(const CallTask& t) const { shape.detail = call_detail(t); }
  void operator()(const DoTask& t) const {
    shape.detail = "do";
    shape.groups.push_back(group_of(t.block, ""));
  }
  void operator()(const ForkTask& t) const {
    shape.side_by_side = true;
    shape.detail = !t.nodes.empty() ? "graph" : t.compete ? "fork, the first wins" : "fork";
    if (t.quorum) shape.detail += ", " + std::to_string(*t.quorum) + " must succeed";
    for (std::size_t i = 0; i < t.branches.size(); ++i) {
      std::string after;  // of a node
      if (!t.nodes.empty())
        for (const std::uint32_t need : t.nodes[i].needs) after += (after.empty() ? "after " : ", ") + t.names[need];
      shape.groups.push_back(group_of(t.branches[i], after));
    }
  }
  void operator()(const ForTask& t) const {
    shape.detail = "for each " + t.each;
    if (t.in) shape.detail += " in " + formula_text(*t.in);
    if (t.while_) shape.detail += " while " + formula_text(*t.while_);
    if (t.max_concurrency > 1) shape.detail += ", " + std::to_string(t.max_concurrency) + " at once";
    shape.groups.push_back(group_of(t.block, ""));
  }
  void operator()(const SwitchTask&) const { shape.detail = "switch"; }
  void operator()(const TryTask& t) const {
    shape.detail = t.retry ? "try, up to " + std::to_string(t.retry->count) + " times" : "try";
    shape.groups.push_back(group_of(t.block, ""));
    if (t.handler) shape.groups.push_back(group_of(*t.handler, "catch"));
  }
  void operator()(const RaiseTask& t) const {
    const Value& v = t.error.source();
    shape.detail = "raise " + shorten(names_of(v.is_object() ? v.get("type") : v));
  }
  void operator()(const WaitTask& t) const {
    shape.detail = "wait " + std::to_string(t.duration.count()) + " ms";
  }
  void operator()(const RunTask& t) const {
    shape.detail = "run " + (t.workflow ? t.workflow->name() : std::string("?"));
  }
};

void add_jump(GroupShape& group, int from, const Then& then, std::string label) {
  JumpShape jump{from, -1, std::move(label), ""};
  switch (then.where) {
    case Then::Where::kContinue:
      if (jump.label.empty() || from + 1 >= static_cast<int>(group.tasks.size())) {
        if (jump.label.empty()) return;
        jump.leaves = "continue";
        break;
      }
      jump.to = from + 1;
      break;
    case Then::Where::kExit:
      jump.leaves = "exit";
      break;
    case Then::Where::kEnd:
      jump.leaves = "end";
      break;
    case Then::Where::kTask:
      jump.to = static_cast<int>(then.index);
      break;
  }
  group.jumps.push_back(std::move(jump));
}

void add_ways(GroupShape& group, int at, const Task& task) {
  TaskShape& shape = group.tasks[static_cast<std::size_t>(at)];
  if (const auto* choice = std::get_if<SwitchTask>(&task.act)) {
    for (const SwitchCase& one : choice->cases) {
      if (!one.when) shape.falls_through = false;
      add_jump(group, at, one.then, one.when ? one.name + ": " + formula_text(*one.when) : one.name);
    }
  }
  if (task.then.where == Then::Where::kContinue) return;
  shape.falls_through = false;
  add_jump(group, at, task.then, "");
}

GroupShape group_of(const Block& block, std::string label) {
  GroupShape group;
  group.label = std::move(label);
  for (const Task& task : block.tasks) {
    TaskShape shape;
    shape.title = task.name;
    shape.kind = task.kind.substr(0, task.kind.find(':'));
    std::visit(ActShape{shape}, task.act);
    if (task.if_) shape.detail += ", if " + formula_text(*task.if_);
    if (task.retry && shape.kind != "try")
      shape.detail += ", up to " + std::to_string(task.retry->count) + " times";
    if (std::holds_alternative<RaiseTask>(task.act)) shape.falls_through = task.if_.has_value();
    group.tasks.push_back(std::move(shape));
  }
  for (std::size_t i = 0; i < block.tasks.size(); ++i) add_ways(group, static_cast<int>(i), block.tasks[i]);
  return group;
}

}  // namespace

GroupShape workflow_shape(const Workflow& workflow) {
  return group_of(workflow.document().block, "");
}

}  // namespace consort
