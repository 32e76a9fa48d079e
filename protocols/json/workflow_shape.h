// WorkflowShape: what both pictures of a workflow show: tasks with a title, containers with groups of tasks,
// and the ways between the tasks of a group. Made from a Workflow, used by the picture writers only.
#pragma once

#include <string>
#include <vector>

#include "scheduler/workflow/workflow.h"

namespace consort {

struct TaskShape;

// A way that is not simply on to the next task. `to` < 0: leaves the block ("exit") or the run ("end").
struct JumpShape {
  int from = 0, to = -1;
  std::string label;   // case and condition of a switch; empty for a plain `then`
  std::string leaves;  // "exit" or "end" when to < 0
};

struct GroupShape {
  std::string label;  // "catch", a branch's name; may be empty
  std::vector<TaskShape> tasks;
  std::vector<JumpShape> jumps;
};

struct TaskShape {
  std::string title, detail;  // "answer", "generate gemma-3-270m"
  std::string kind;           // "call", "set", "switch", ...: the style
  std::vector<GroupShape> groups;
  bool side_by_side = false;  // branches of a fork
  bool falls_through = true;  // goes on to the next task unless a jump says otherwise
};

// The top block as one group.
GroupShape workflow_shape(const Workflow& workflow);

}  // namespace consort
