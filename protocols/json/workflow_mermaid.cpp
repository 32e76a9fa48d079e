// The Mermaid picture: containers are subgraphs, every task is a node or a subgraph with an id of its own.
#include "protocols/json/workflow_graph.h"
#include "protocols/json/workflow_shape.h"

namespace consort {
namespace {

// Text inside a quoted Mermaid label: what its parser would take for syntax goes by entity code.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "#quot;";
        break;
      case '#':
        out += "#35;";
        break;
      case '<':
        out += "#lt;";
        break;
      case '>':
        out += "#gt;";
        break;
      case '`':
        out += "#96;";
        break;
      case '\n':
      case '\r':
        out += ' ';
        break;
      default:
        out += c;
    }
  }
  return out + "\"";
}

class MermaidWriter {
 public:
  std::string write(const GroupShape& top, const std::string& name) {
    out_ = "---\ntitle: " + write_json(Value(name)) + "\n---\nflowchart TD\n";
    line(1, "start([start])");
    line(1, "finish([end])");
    const std::vector<std::string> ids = group(top, 1);
    if (!ids.empty()) line(1, "start --> " + ids.front());
    if (!ids.empty() && top.tasks.back().falls_through) line(1, ids.back() + " --> finish");
    return out_;
  }

 private:
  void line(int depth, const std::string& text) {
    out_.append(static_cast<std::size_t>(depth) * 2, ' ');
    out_ += text + "\n";
  }

  std::string task(const TaskShape& t, int depth) {
    const std::string id = "t" + std::to_string(next_++);
    if (t.groups.empty()) {
      const std::string label = quoted(t.title + " – " + t.detail);
      line(depth, id + (t.kind == "switch" ? "{" + label + "}"
                        : t.kind == "call" ? "[[" + label + "]]"
                                           : "[" + label + "]"));
      return id;
    }
    line(depth,
         "subgraph " + id + "[" + quoted(t.detail.empty() ? t.title : t.title + " – " + t.detail) + "]");
    if (t.side_by_side) line(depth + 1, "direction LR");
    for (const GroupShape& g : t.groups) {
      if (g.label.empty()) {
        group(g, depth + 1);
        continue;
      }
      line(depth + 1, "subgraph g" + std::to_string(next_++) + "[" + quoted(g.label) + "]");
      group(g, depth + 2);
      line(depth + 1, "end");
    }
    line(depth, "end");
    return id;
  }

  std::vector<std::string> group(const GroupShape& g, int depth) {
    std::vector<std::string> ids;
    for (const TaskShape& t : g.tasks) ids.push_back(task(t, depth));
    for (std::size_t i = 0; i + 1 < ids.size(); ++i)
      if (g.tasks[i].falls_through) line(depth, ids[i] + " --> " + ids[i + 1]);
    for (const JumpShape& j : g.jumps) {
      std::string to = j.to < 0 ? "finish" : ids[static_cast<std::size_t>(j.to)];
      if (j.leaves == "exit" || j.leaves == "continue") {
        to = "e" + std::to_string(next_++);
        line(depth, to + "([" + j.leaves + "])");
      }
      const std::string& from = ids[static_cast<std::size_t>(j.from)];
      line(depth, from + (j.label.empty() ? " -.-> " : " -->|" + quoted(j.label) + "| ") + to);
    }
    return ids;
  }

  std::string out_;
  int next_ = 0;
};

}  // namespace

std::string workflow_mermaid(const Workflow& workflow) {
  return MermaidWriter().write(workflow_shape(workflow), workflow.name() + " " + workflow.version());
}

}  // namespace consort
