#include "agents/evaluation/task/task_kind.h"

#include <array>

namespace consort {
namespace {

constexpr std::array<std::string_view, 6> kNames{"choices", "answer", "text", "labels", "pairs", "retrieval"};

}  // namespace

std::string_view task_kind_name(TaskKind kind) {
  return kNames.at(static_cast<std::size_t>(kind));
}

std::optional<TaskKind> task_kind(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<TaskKind>(i);
  return std::nullopt;
}

}  // namespace consort
