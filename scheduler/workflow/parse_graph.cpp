// `graph {nodes: {name: {needs: [...], ...task}}}`: tasks that run as soon as what they need has finished.
#include <algorithm>

#include "scheduler/workflow/parser.h"

namespace consort::workflow {
namespace {

constexpr std::size_t kMaxNodes = 1024;  // their order is worked out in time n * n

// Numbers of all nodes that must have finished before each node, from those it names. Nodes of a cycle are
// never done; gives how many nodes are.
std::size_t fill_behind(std::vector<ForkTask::Node>& nodes, std::vector<bool>& done) {
  std::size_t count = 0;
  for (bool progress = true; progress;) {
    progress = false;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      ForkTask::Node& node = nodes[i];
      const auto is_done = [&done](std::uint32_t need) { return done[need]; };
      if (done[i] || !std::all_of(node.needs.begin(), node.needs.end(), is_done)) continue;
      for (const std::uint32_t need : node.needs) {
        node.behind.push_back(need);
        node.behind.insert(node.behind.end(), nodes[need].behind.begin(), nodes[need].behind.end());
      }
      std::sort(node.behind.begin(), node.behind.end());
      node.behind.erase(std::unique(node.behind.begin(), node.behind.end()), node.behind.end());
      done[i] = progress = true;
      ++count;
    }
  }
  return count;
}

}  // namespace

void Parser::parse_node(const std::string& name, const Value& value, const std::string& pointer,
                        ForkTask& act) {
  check_task_name(name, pointer);
  Value::Object members;  // the task without what makes it a node
  if (value.is_object())
    for (const auto& [key, member] : value.as_object())
      if (key != "needs") members.emplace_back(key, member);
  Task task = parse_task(name, value.is_object() ? Value::object(std::move(members)) : value, pointer);
  if (task.then.where == Then::Where::kTask)
    report(pointer_join(pointer, "then"), "nodes of a graph follow their needs: there is no next one");
  act.names.push_back(name);
  Block block;
  block.pointer = pointer;
  block.tasks.push_back(std::move(task));
  act.branches.push_back(std::move(block));
  act.nodes.emplace_back();
}

void Parser::connect_nodes(const Value& nodes, const std::string& pointer, ForkTask& act) {
  for (std::size_t i = 0; i < act.nodes.size(); ++i) {
    const auto& [name, value] = nodes.as_object()[i];
    const Value* needs = value.find("needs");
    if (!needs) continue;
    const std::string at = pointer_join(pointer_join(pointer, name), "needs");
    if (!needs->is_array()) {
      report(at, "must be an array of names of nodes, is " + std::string(type_name(needs->type())));
      continue;
    }
    for (std::size_t k = 0; k < needs->size(); ++k) {
      const Value& need = needs->as_array()[k];
      const auto found = need.is_string() ? std::find(act.names.begin(), act.names.end(), need.as_string())
                                          : act.names.end();
      const auto number = static_cast<std::uint32_t>(found - act.names.begin());
      std::vector<std::uint32_t>& list = act.nodes[i].needs;
      if (found == act.names.end())
        report(pointer_join(at, k), "no such node in this graph");
      else if (std::find(list.begin(), list.end(), number) != list.end())
        report(pointer_join(at, k), "stands twice");
      else
        list.push_back(number);
    }
  }
  std::vector<bool> done(act.nodes.size(), false);
  if (fill_behind(act.nodes, done) == done.size()) return;
  for (std::size_t i = 0; i < done.size(); ++i)
    if (!done[i])
      report(pointer_join(pointer_join(pointer, act.names[i]), "needs"),
             "can never be met: the nodes need each other");
}

void Parser::parse_graph(ObjectReader& reader, Task& task) {
  task.kind = "graph";
  ForkTask act;
  const Value* graph = reader.require("graph");
  if (!graph) return;
  ObjectReader inner(findings_, *graph, reader.at("graph"));
  if (auto most = inner.integer("maxConcurrency", 1, 100'000))
    act.max_concurrency = static_cast<std::uint32_t>(*most);
  const Value* nodes = inner.require("nodes");
  if (!nodes) return;
  const std::string pointer = inner.at("nodes");
  if (!nodes->is_object() || nodes->size() == 0 || nodes->size() > kMaxNodes)
    return report(pointer, "must be an object of 1 to " + std::to_string(kMaxNodes) + " named nodes");
  for (const auto& [name, value] : nodes->as_object())
    parse_node(name, value, pointer_join(pointer, name), act);
  connect_nodes(*nodes, pointer, act);
  task.act = std::move(act);
}

}  // namespace consort::workflow
