// Small tasks and tables made by hand. For tests only.
#pragma once

#include <cmath>
#include <deque>
#include <string>
#include <vector>

#include "agents/evaluation/analysis/analysis.h"

namespace consort {

// A task with its members' rows; `request` points into it.
struct HandMade {
  Task task;
  std::deque<std::vector<PredictionRow>> rows;
  AnalysisRequest request;

  explicit HandMade(TaskKind kind) {
    task.name = "made by hand";
    task.kind = kind;
    task.digest = "0";
    request.no_control = "none was asked for";
  }
  HandMade(const HandMade&) = delete;
  HandMade& operator=(const HandMade&) = delete;

  TaskItem& item(const char* split) {
    TaskItem& made = task.items.emplace_back();
    made.id = "item-" + std::to_string(task.items.size());
    made.split = split;
    return made;
  }

  // One row an item by `fill(row, item's place)`.
  template <typename Fill>
  void member(const std::string& name, const Fill& fill, bool control = false) {
    rows.emplace_back();
    for (std::size_t i = 0; i < task.items.size(); ++i) {
      PredictionRow row;
      row.item = task.items[i].id;
      row.member = name;
      row.kind = task.kind;
      row.flop = 100;
      row.tokens = 10;
      fill(row, i);
      rows.back().push_back(std::move(row));
    }
    const auto none = [](const std::string&) -> Result<std::vector<float>> {
      return fail(ErrorKind::kNotFound, "no vectors here");
    };
    request.task = &task;
    (control ? request.control : request.members).push_back(*member_table(task, name, rows.back(), none));
  }

  Result<Contest> contest() {
    CONSORT_CHECK_OK(prepare(request));
    return make_contest(request);
  }
  Result<EvaluationResults> results(int resamples = 150) {
    CONSORT_TRY(made, contest());
    JudgeOptions options;
    options.resamples = resamples;
    return judge(made, task, options);
  }
};

// Choices whose members get some items right and some wrong: member m is right on item i unless (i + shift)
// is a multiple of `wrong_every`; its probability of the answer it gives is `sure`.
inline void add_choice_items(HandMade& made, std::size_t fit, std::size_t test) {
  for (std::size_t i = 0; i < fit + test; ++i) {
    TaskItem& item = made.item(i < fit ? kFitSplit : kTestSplit);
    item.options = {"red", "green", "blue"};
    item.gold = i % 3;
  }
}
inline void add_choice_member(HandMade& made, const std::string& name, std::size_t wrong_every,
                              std::size_t shift, double sure, bool control = false) {
  made.member(
      name,
      [&](PredictionRow& row, std::size_t i) {
        const std::size_t gold = made.task.items[i].gold;
        const std::size_t says = (i + shift) % wrong_every == 0 ? (gold + 1 + shift % 2) % 3 : gold;
        row.scores.assign(3, std::log((1 - sure) / 2));
        row.scores[says] = std::log(sure);
        row.bytes = {4, 6, 5};
      },
      control);
}

}  // namespace consort
