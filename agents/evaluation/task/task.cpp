#include "agents/evaluation/task/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "scheduler/value/digest.h"

namespace consort {
namespace {

// A number in [0, 1) that depends on seed and name alone.
double share_of(std::uint64_t seed, const std::string& name) {
  const std::string digest = bytes_digest(fmt::format("{}/{}", seed, name));
  constexpr int kDigits = 13;  // 52 bits: exact in a double
  return std::ldexp(static_cast<double>(std::stoull(digest.substr(0, kDigits), nullptr, 16)), -4 * kDigits);
}

std::string lettered(const std::vector<std::string>& options) {
  std::string out;
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (i > 0) out += '\n';
    if (i < 26)
      out += static_cast<char>('A' + i);
    else
      out += std::to_string(i + 1);
    out += ". " + options[i];
  }
  return out;
}

}  // namespace

Error findings_error(const std::vector<TaskFinding>& findings, const std::string& file) {
  constexpr std::size_t kShown = 5;
  std::string what;
  for (std::size_t i = 0; i < findings.size() && i < kShown; ++i) {
    const TaskFinding& f = findings[i];
    const std::string line = f.line == 0 ? "header" : fmt::format("line {}", f.line);
    what += fmt::format("{}{}{}{}: {}", i == 0 ? "" : "; ", line, f.pointer.empty() ? "" : " ", f.pointer,
                        f.message);
  }
  if (findings.size() > kShown) what += fmt::format("; and {} more", findings.size() - kShown);
  return Error{ErrorKind::kInvalid, std::move(what), file,
               "see configs/tasks/README.md for the form of task files"};
}

Status deal_splits(Task& task, double fit_fraction, std::uint64_t seed) {
  if (!(fit_fraction > 0 && fit_fraction < 1))
    return fail(ErrorKind::kInvalid, "the share of the fit split must lie between 0 and 1", "--fit-fraction");
  std::size_t tested = 0;
  for (TaskItem& item : task.items) {
    if (item.split.empty())
      item.split =
          share_of(seed, item.group.empty() ? item.id : item.group) < fit_fraction ? kFitSplit : kTestSplit;
    if (item.split == kTestSplit) ++tested;
  }
  if (tested == 0)
    return fail(ErrorKind::kInvalid, "no item is left to test on", task.name,
                "give more items, or another --fit-fraction");
  return {};
}

void draw_items(Task& task, std::size_t most, std::uint64_t seed) {
  std::vector<std::pair<double, std::size_t>> shares;
  for (std::size_t i = 0; i < task.items.size(); ++i)
    if (task.items[i].split != kTrainSplit)
      shares.emplace_back(share_of(seed, "draw/" + task.items[i].id), i);
  std::sort(shares.begin(), shares.end());
  std::set<std::size_t> dropped;
  for (std::size_t k = most; k < shares.size(); ++k) dropped.insert(shares[k].second);
  std::vector<TaskItem> kept;
  for (std::size_t i = 0; i < task.items.size(); ++i)
    if (!dropped.contains(i)) kept.push_back(std::move(task.items[i]));
  task.items = std::move(kept);
}

std::optional<std::string> lead_in(std::string_view wording) {
  if (!wording.ends_with(kTextPart)) return std::nullopt;
  wording.remove_suffix(kTextPart.size());
  if (wording.find(kTextPart) != std::string_view::npos) return std::nullopt;
  return std::string(wording);
}

std::string fill_prompt(std::string_view wording, const TaskItem& item) {
  std::string out;
  while (!wording.empty()) {
    const std::size_t open = wording.find('{');
    out += wording.substr(0, open);
    if (open == std::string_view::npos) break;
    wording.remove_prefix(open);
    bool filled = false;
    for (const std::string_view part : {"{question}", "{text}", "{options}"}) {
      if (!wording.starts_with(part)) continue;
      out += part == "{options}" ? lettered(item.options) : item.text;
      wording.remove_prefix(part.size());
      filled = true;
      break;
    }
    if (!filled) {
      out += '{';
      wording.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace consort
