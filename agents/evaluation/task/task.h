// Task: a task file, read and checked: what members are asked, and what is right. Immutable after reading;
// any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/ensemble/canonical.h"
#include "agents/evaluation/task/task_kind.h"
#include "memory/base/status.h"

namespace consort {

// What a part of the data is for. Nothing is ever chosen or fitted on `test`.
inline constexpr const char* kTrainSplit = "train";  // fits heads on embeddings
inline constexpr const char* kFitSplit = "fit";      // weights, temperatures, subsets, the best member
inline constexpr const char* kTestSplit = "test";    // reported

enum class LabelInput : std::uint8_t { kText, kImage, kFile, kSmiles };
enum class LabelHead : std::uint8_t { kNeighbours, kCentroid, kProbe };
enum class TextPieces : std::uint8_t { kBytes, kTokens };

struct TaskItem {
  std::string id, split, group;      // split: empty until deal_splits; group: empty = the item stands alone
  std::size_t line = 0;              // of the file
  std::string text;                  // question, text, query, first of a pair, SMILES; or the path of a file
  std::string other;                 // pairs: the second text
  std::vector<std::string> options;  // choices; answer: what letters stand for
  std::size_t gold = 0;              // choices, labels: the right option or label
  std::string gold_text;             // answer: in canonical form
  double gold_number = 0;            // pairs
  LabelInput input = LabelInput::kText;    // labels
  bool from_file = false;                  // text: `text` is a path
  std::map<std::string, double> relevant;  // retrieval: grade of each marked document
};

struct TaskDocument {
  std::string id, text;
};

struct Task {
  std::string name;
  TaskKind kind = TaskKind::kChoices;
  std::string description, licence, source;
  std::string folder;                // relative paths of items start here
  std::vector<std::string> prompts;  // wordings; the first is the task's own
  std::string separator = " ";
  bool per_byte = false;
  bool chat = false;
  AnswerKind answer = AnswerKind::kText;
  int max_tokens = 256;
  std::vector<std::string> stop;
  int context = 0;
  TextPieces pieces = TextPieces::kBytes;  // text: what members are asked for
  std::vector<std::string> labels;         // labels: sorted, or as the header has them
  LabelHead head = LabelHead::kNeighbours;
  int neighbours = 10;
  std::vector<TaskDocument> documents;  // retrieval
  std::vector<TaskItem> items;          // in the file's order
  std::string digest;                   // of the file and of a separate header
};

// One mistake of a task file.
struct TaskFinding {
  std::size_t line = 0;  // from 1; 0: the separate header
  std::string pointer;   // JSON Pointer into the line
  std::string message;
};

struct TaskReading {
  Task task;
  std::vector<TaskFinding> findings;  // empty: the task is good; at most kMostTaskFindings
};
inline constexpr std::size_t kMostTaskFindings = 100;

// Reads JSON Lines. `header`: the header as JSON text when it is not the file's first line. All findings are
// gathered; a task with findings must not be used. Blank lines are skipped.
TaskReading read_task(std::string_view lines, std::string_view header = {}, std::string folder = {});
// The findings as one error: kInvalid, up to five of them in its text, `where` = the file.
Error findings_error(const std::vector<TaskFinding>& findings, const std::string& file);

// Gives every item without a split one of `fit` and `test` by a hash of seed and group (or id), so that a
// group stays together and an item's split does not depend on its neighbours. Errors: kInvalid when a share
// is not within (0, 1), or nothing is left to test on.
Status deal_splits(Task& task, double fit_fraction, std::uint64_t seed);

// Keeps at most `most` of the items that are not of the training split: those whose hash of seed and name is
// smallest, in the file's order, so that a larger draw contains a smaller one.
void draw_items(Task& task, std::size_t most, std::uint64_t seed);

// A wording filled with an item: {question} and {text} by its text, {options} by lettered lines.
std::string fill_prompt(std::string_view wording, const TaskItem& item);

// What a wording of a text puts in front of it: all before its one {text}, which ends it. none: it is no such
// wording.
inline constexpr std::string_view kTextPart = "{text}";
std::optional<std::string> lead_in(std::string_view wording);

}  // namespace consort
