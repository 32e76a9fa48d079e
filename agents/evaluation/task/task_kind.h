// What a task asks its members for.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace consort {

enum class TaskKind : std::uint8_t {
  kChoices,    // a question and its options; one is right
  kAnswer,     // a question; the answer is free text, compared in canonical form
  kText,       // a text whose likelihood is asked for
  kLabels,     // a text, picture, file or molecule; one of the task's labels is right
  kPairs,      // two texts; how near they are
  kRetrieval,  // queries over documents with relevance marks
};

std::string_view task_kind_name(
    TaskKind kind);  // "choices", "answer", "text", "labels", "pairs", "retrieval"
std::optional<TaskKind> task_kind(std::string_view name);

}  // namespace consort
