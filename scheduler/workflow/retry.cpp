#include <algorithm>
#include <array>
#include <cmath>

#include "scheduler/workflow/parser.h"
#include "scheduler/workflow/run_tasks.h"

namespace consort::workflow {
namespace {

// Trying again cannot help, or must not happen: whatever `when` says.
constexpr std::array<std::string_view, 4> kNever{"payload", "validation", "budget", "cancelled"};
constexpr std::array<std::string_view, 4> kByDefault{"communication", "timeout", "modelUnavailable",
                                                     "memory"};

bool contains(const std::array<std::string_view, 4>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A condition that fails to evaluate holds back the retry: the task's own problem is the one to report.
bool holds(const RunState& run, const std::optional<Formula>& formula, const Active& active,
           const Value& error, bool absent) {
  if (!formula) return absent;
  const Local local{active.frame.locals, "error", error};
  Bindings bindings = active.bindings();
  bindings.locals = &local;
  Result<bool> held = formula->holds(active.input, bindings, run.evaluation);
  return held && *held;
}

bool retryable(const RunState& run, const RetryPolicy& policy, const Active& active, const Problem& problem) {
  const std::string_view type = problem_type_name(problem.type);
  if (contains(kNever, type)) return false;
  const Value error = problem_to_value(problem);
  const bool usual = contains(kByDefault, type) || problem.status == 429 || problem.status == 503;
  if (!holds(run, policy.when, active, error, usual)) return false;
  return !policy.except_when || !holds(run, policy.except_when, active, error, false);
}

}  // namespace

std::optional<Duration> retry_delay(const RunState& run, const RetryPolicy& policy, const Active& active,
                                    const Problem& problem, std::uint32_t attempt, SteadyTime began) {
  if (attempt >= policy.count || !retryable(run, policy, active, problem)) return std::nullopt;
  double delay = static_cast<double>(policy.delay.count());
  if (policy.backoff == RetryPolicy::Backoff::kLinear) delay *= attempt;
  if (policy.backoff == RetryPolicy::Backoff::kExponential) delay *= std::exp2(std::min(attempt - 1, 40u));
  const double range = static_cast<double>((policy.jitter_to - policy.jitter_from).count());
  // 53 random bits of the run's seed and the task's place: the same delay in every replay.
  const double part =
      static_cast<double>(mix_seed(active.frame.seed, 0x6a69747465ull + attempt) >> 11) * 0x1.0p-53;
  delay += static_cast<double>(policy.jitter_from.count()) + range * part;
  const Duration wait(static_cast<std::int64_t>(std::min(delay, static_cast<double>(kMaxDurationMs))));
  const SteadyTime then = std::chrono::steady_clock::now() + wait;
  if (then >= active.frame.deadline) return std::nullopt;
  if (policy.duration && then - began >= *policy.duration) return std::nullopt;
  return wait;
}

bool catches(const ErrorFilter& filter, const Problem& problem) {
  if (filter.type && problem_type_name(*filter.type) != problem_type_name(problem.type)) return false;
  if (filter.status && *filter.status != problem.status) return false;
  if (filter.title && *filter.title != problem.title) return false;
  if (filter.detail && *filter.detail != problem.detail) return false;
  return !filter.instance || *filter.instance == problem.instance;
}

}  // namespace consort::workflow
