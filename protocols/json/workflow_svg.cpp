// The SVG picture: tasks from top to bottom, containers as boxes around their tasks, the branches of a fork
// side by side; jumps run along the right edge of their group.
#include <algorithm>

#include <fmt/format.h>

#include "protocols/json/workflow_graph.h"
#include "protocols/json/workflow_shape.h"
#include "scheduler/value/xml.h"

namespace consort {
namespace {

// Sizes in pixels. A character of the 13 px font is at most 7.4 wide in common sans-serif faces.
constexpr double kCharacter = 7.4, kSmall = 6.4, kPadding = 14, kGap = 26, kTask = 46, kHeader = 30,
                 kLane = 16, kWays = 16;  // between ways that leave one task

double width_of(const std::string& text, double character) {
  const auto bytes = std::count_if(text.begin(), text.end(),
                                   [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return static_cast<double>(bytes) * character;
}

struct Placed {
  double x = 0, y = 0, width = 0, height = 0;
};
struct PlacedGroup;
struct PlacedTask {
  const TaskShape* shape = nullptr;
  Placed box;
  std::vector<PlacedGroup> groups;
};
struct PlacedGroup {
  const GroupShape* shape = nullptr;
  Placed box;
  double core = 0;  // width of the tasks, without the lanes of the jumps
  std::vector<PlacedTask> tasks;
};

PlacedGroup measure(const GroupShape& shape);

PlacedTask measure(const TaskShape& shape) {
  PlacedTask task;
  task.shape = &shape;
  double text = std::max(width_of(shape.title, kCharacter), width_of(shape.detail, kSmall));
  if (shape.groups.empty()) {
    task.box = {0, 0, std::max(120.0, text + 2 * kPadding), kTask};
    return task;
  }
  text = width_of(shape.title, kCharacter) + width_of(shape.detail, kSmall) + 12;
  double width = 0, height = 0;
  for (const GroupShape& g : shape.groups) {
    task.groups.push_back(measure(g));
    const Placed& box = task.groups.back().box;
    width = shape.side_by_side ? width + box.width + kPadding : std::max(width, box.width + kPadding);
    height = shape.side_by_side ? std::max(height, box.height) : height + box.height + kPadding;
  }
  if (shape.side_by_side) height += kPadding;
  task.box = {0, 0, std::max(width + kPadding, text + 2 * kPadding), kHeader + height};
  return task;
}

// Where the way of a jump runs down or up, from the group's left edge: right of the tasks that it and the
// jumps before it pass, so that no two share a lane.
double lane_of(const PlacedGroup& group, std::size_t index) {
  double widest = 0;
  for (std::size_t i = 0; i <= index; ++i) {
    const JumpShape& jump = group.shape->jumps[i];
    const int to = jump.to < 0 ? jump.from : jump.to;
    for (int t = std::min(jump.from, to); t <= std::max(jump.from, to); ++t)
      widest = std::max(widest, group.tasks[static_cast<std::size_t>(t)].box.width);
  }
  return (group.core + widest) / 2 + static_cast<double>(index + 1) * kLane;
}

PlacedGroup measure(const GroupShape& shape) {
  PlacedGroup group;
  group.shape = &shape;
  double height = shape.label.empty() ? 0 : 20;
  for (const TaskShape& t : shape.tasks) {
    group.tasks.push_back(measure(t));
    group.core = std::max(group.core, group.tasks.back().box.width);
    height += group.tasks.back().box.height + kGap;
  }
  double width = group.core;
  for (std::size_t i = 0; i < shape.jumps.size(); ++i)
    width = std::max(width,
                     lane_of(group, i) + width_of(shape.jumps[i].label + shape.jumps[i].leaves, kSmall) + 24);
  group.box = {0, 0, width, height - kGap};
  return group;
}

void place(PlacedGroup& group, double x, double y);

void place(PlacedTask& task, double x, double y) {
  task.box.x = x;
  task.box.y = y;
  double at_x = x + kPadding, at_y = y + kHeader;
  for (PlacedGroup& g : task.groups) {
    place(g, at_x, at_y);
    (task.shape->side_by_side ? at_x : at_y) +=
        (task.shape->side_by_side ? g.box.width : g.box.height) + kPadding;
  }
}

void place(PlacedGroup& group, double x, double y) {
  group.box.x = x;
  group.box.y = y;
  double at = y + (group.shape->label.empty() ? 0 : 20);
  for (PlacedTask& t : group.tasks) {
    place(t, x + (group.core - t.box.width) / 2, at);
    at += t.box.height + kGap;
  }
}

class SvgWriter {
 public:
  std::string write(const GroupShape& shape, const std::string& title) {
    PlacedGroup top = measure(shape);
    place(top, 24, 56);
    const double width = std::max(top.box.width, width_of(title, 9)) + 48, height = top.box.height + 80;
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
        "height=\"{1:.0f}\" role=\"img\">\n<title>{2}</title>\n{3}",
        width, height, escape_xml(title), kStyle);
    out_ += fmt::format("<rect class=\"page\" width=\"{:.0f}\" height=\"{:.0f}\"/>\n", width, height);
    text(24, 32, "name", title);
    group(top);
    return out_ + "</svg>";
  }

 private:
  static constexpr const char* kStyle =
      R"(<style>
  svg { font-family: system-ui, sans-serif; color-scheme: light dark;
        --page: #ffffff; --ink: #1f2933; --soft: #5b6773; --line: #9aa5b1; --box: #f4f6f8;
        --call: #e1effe; --switch: #fdf3d7; --raise: #fde2e1; }
  @media (prefers-color-scheme: dark) {
    svg { --page: #14181d; --ink: #e6ebf0; --soft: #a3afbb; --line: #66727e; --box: #1e242b;
          --call: #173352; --switch: #40350f; --raise: #4a2020; } }
  .page { fill: var(--page); } text { fill: var(--ink); font-size: 13px; } .name { font-size: 16px; font-weight: 600; }
  .title { font-weight: 600; } .detail { fill: var(--soft); font-size: 11px; }
  .over { paint-order: stroke; stroke: var(--page); stroke-width: 4px; }
  .task { fill: var(--box); stroke: var(--line); } .call { fill: var(--call); } .switch { fill: var(--switch); }
  .raise { fill: var(--raise); } .outer { fill: none; stroke: var(--line); stroke-dasharray: 4 3; }
  .way { fill: none; stroke: var(--soft); stroke-width: 1.3; marker-end: url(#tip); } .jump { stroke-dasharray: 5 3; }
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#7b8794"/></marker></defs>
)";

  void text(double x, double y, const char* style, const std::string& words, bool middle = false) {
    out_ += fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\"{}>{}</text>\n", style, x, y,
                        middle ? " text-anchor=\"middle\"" : "", escape_xml(words));
  }

  void task(const PlacedTask& t) {
    const Placed& b = t.box;
    const bool leaf = t.groups.empty();
    const std::string known = t.shape->kind == "call" || t.shape->kind == "switch" || t.shape->kind == "raise"
                                  ? " " + t.shape->kind
                                  : "";
    out_ += fmt::format(
        "<rect class=\"{}{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"7\"/>\n",
        leaf ? "task" : "outer", leaf ? known : "", b.x, b.y, b.width, b.height);
    if (leaf) {
      text(b.x + b.width / 2, b.y + 20, "title", t.shape->title, true);
      text(b.x + b.width / 2, b.y + 36, "detail", t.shape->detail, true);
      return;
    }
    text(b.x + kPadding, b.y + 20, "title", t.shape->title);
    text(b.x + kPadding + width_of(t.shape->title, kCharacter) + 12, b.y + 20, "detail", t.shape->detail);
    for (const PlacedGroup& g : t.groups) group(g);
  }

  void group(const PlacedGroup& g) {
    if (!g.shape->label.empty()) text(g.box.x, g.box.y + 13, "detail", g.shape->label);
    for (const PlacedTask& t : g.tasks) task(t);
    const double middle = g.box.x + g.core / 2;
    for (std::size_t i = 0; i + 1 < g.tasks.size(); ++i) {
      if (!g.tasks[i].shape->falls_through) continue;
      const Placed& from = g.tasks[i].box;
      out_ += fmt::format("<path class=\"way\" d=\"M{0:.1f} {1:.1f}V{2:.1f}\"/>\n", middle,
                          from.y + from.height, g.tasks[i + 1].box.y - 1);
    }
    std::string labels;  // over the ways of all jumps
    for (std::size_t i = 0; i < g.shape->jumps.size(); ++i) labels += jump(g, g.shape->jumps[i], i);
    out_ += labels;
  }

  // Draws the way and returns its label.
  std::string jump(const PlacedGroup& g, const JumpShape& j, std::size_t lane) {
    const Placed& from = g.tasks[static_cast<std::size_t>(j.from)].box;
    // Several ways leave one task: each a little lower, each in a lane of its own.
    const auto same =
        std::count_if(g.shape->jumps.begin(), g.shape->jumps.begin() + static_cast<std::ptrdiff_t>(lane),
                      [&](const JumpShape& other) { return other.from == j.from; });
    const double start_x = from.x + from.width;
    const double start_y = from.y + std::min(from.height - 4, 9 + kWays * static_cast<double>(same));
    const double x = g.box.x + lane_of(g, lane);
    std::string words = j.label;
    if (j.to < 0) {
      words = j.label.empty() ? j.leaves : j.label + " → " + j.leaves;
      out_ += fmt::format("<path class=\"way jump\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>\n", start_x, start_y, x);
    } else {
      const Placed& to = g.tasks[static_cast<std::size_t>(j.to)].box;
      const double end_y = to.y + (j.to <= j.from ? 8 : 14) + 4 * static_cast<double>(lane % 6);
      out_ += fmt::format("<path class=\"way jump\" d=\"M{:.1f} {:.1f}H{:.1f}V{:.1f}H{:.1f}\"/>\n", start_x,
                          start_y, x, end_y, to.x + to.width + 2);
    }
    if (words.empty()) return {};
    return fmt::format("<text class=\"detail over\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x + 5,
                       start_y + 4, escape_xml(words));
  }

  std::string out_;
};

}  // namespace

std::string workflow_svg(const Workflow& workflow) {
  return SvgWriter().write(workflow_shape(workflow), workflow.name() + " " + workflow.version());
}

}  // namespace consort
