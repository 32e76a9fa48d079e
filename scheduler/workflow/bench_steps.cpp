#include "scheduler/workflow/bench_steps.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "scheduler/bus/event_loop.h"
#include "scheduler/workflow/runner.h"

namespace consort {
namespace {

constexpr int kSyncSteps = 200;               // every one waits for the disk
constexpr std::uint64_t kWarmSteps = 50'000;  // before the flat-memory check: trace full, pools filled

struct Variant {
  std::string name;
  bool call = false;
  std::optional<RunDurability> durability;  // none: no journal
  int steps = 0;
};

// A counter that goes from 0 to `steps`: one task and one test of `while` for each step.
Value counting_document(const Value& act, std::uint64_t steps) {
  const std::string test = "${ .n < " + std::to_string(steps) + " }";
  Value loop = Value::object({{"for", Value::object()},
                              {"while", test},
                              {"limit", steps},
                              {"do", Value::array({Value::object({{"step", act}})})}});
  return Value::object(
      {{"document",
        Value::object({{"dsl", "1.0.0"}, {"namespace", "bench"}, {"name", "steps"}, {"version", "1.0.0"}})},
       {"do", Value::array({Value::object({{"count", loop}})})}});
}

Value set_act() {
  return Value::object({{"set", Value::object({{"n", "${ .n + 1 }"}})}});
}

Value call_act(const StepsBenchOptions& options) {
  return Value::object({{"call", options.call_kind},
                        {"with", options.call_with},
                        {"output", Value::object({{"as", "${ {n: ($input.n + 1)} }"}})}});
}

boost::asio::awaitable<void> drive(Runner* runner, WorkflowPtr workflow, RunOptions options,
                                   std::optional<Result<RunReport>>* into) {
  Value input = Value::object({{"n", 0}});
  Result<RunReport> report = co_await runner->run(std::move(workflow), std::move(input), std::move(options));
  *into = std::move(report);
}

// Microseconds of one run; fails when its counter did not arrive.
Result<double> run_once(const std::shared_ptr<const CallKinds>& kinds, Journal* journal,
                        const Value& document, std::uint64_t steps, std::optional<RunDurability> durability) {
  WorkflowParse parsed = Workflow::parse(document, *kinds);
  if (!parsed.workflow) return tl::unexpected(findings_error(parsed.findings, "bench steps"));
  boost::asio::io_context io(1);
  Runner runner(io.get_executor(), kinds, journal);
  RunOptions options;
  options.seed = 1;
  options.durability = durability;
  std::optional<Result<RunReport>> report;
  const auto start = std::chrono::steady_clock::now();
  boost::asio::co_spawn(io, drive(&runner, parsed.workflow, std::move(options), &report),
                        boost::asio::detached);
  run_attentively(io);
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
  if (!report) return fail(ErrorKind::kRuntime, "the run of the bench did not end");
  if (!*report) return tl::unexpected(report->error());
  if ((*report)->problem) return tl::unexpected(error_of(*(*report)->problem));
  if ((*report)->output.get("n") != Value(steps))
    return fail(ErrorKind::kRuntime, "the bench counted to " + write_json((*report)->output) +
                                         " instead of " + std::to_string(steps));
  if (journal) CONSORT_CHECK_OK(journal->forget((*report)->run_id));
  return spent.count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// One more round of a variant, microseconds a step.
Status add_round(const std::shared_ptr<const CallKinds>& kinds, Journal* journal,
                 const StepsBenchOptions& options, const Variant& variant, std::vector<double>& each) {
  const std::uint64_t steps = static_cast<std::uint64_t>(variant.steps);
  const Value document = counting_document(variant.call ? call_act(options) : set_act(), steps);
  CONSORT_TRY(micros,
              run_once(kinds, variant.durability ? journal : nullptr, document, steps, variant.durability));
  each.push_back(micros / static_cast<double>(steps));
  return {};
}

Value measured(const Variant& variant, const std::vector<double>& each) {
  const double middle = median(each);
  return Value::object({{"name", variant.name},
                        {"microseconds_per_step", middle},
                        {"min", *std::min_element(each.begin(), each.end())},
                        {"max", *std::max_element(each.begin(), each.end())},
                        {"steps_per_s", 1e6 / middle}});
}

std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// The highest resident memory while a run of `steps` is under way.
Result<std::int64_t> peak_memory(const std::shared_ptr<const CallKinds>& kinds, std::uint64_t steps) {
  std::atomic<bool> over{false};
  std::int64_t peak = 0;
  std::thread sampler([&over, &peak] {
    while (!over) {
      peak = std::max(peak, resident_bytes());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    peak = std::max(peak, resident_bytes());
  });
  Result<double> micros = run_once(kinds, nullptr, counting_document(set_act(), steps), steps, std::nullopt);
  over = true;
  sampler.join();
  if (!micros) return tl::unexpected(micros.error());
  return peak;
}

// A long run must need no more than a short one: both fill the trace, which is capped.
Result<Value> measure_memory(const std::shared_ptr<const CallKinds>& kinds, std::uint64_t steps) {
  CONSORT_TRY(before, peak_memory(kinds, std::min(steps, kWarmSteps)));
  CONSORT_TRY(after, peak_memory(kinds, steps));
  return Value::object({{"steps", steps},
                        {"resident_before", before},
                        {"resident_after", after},
                        {"growth_bytes", after - before}});
}

}  // namespace

Result<Value> bench_steps(std::shared_ptr<const CallKinds> kinds, Journal* journal,
                          const StepsBenchOptions& options) {
  if (options.rounds < 1 || options.steps < 1)
    return fail(ErrorKind::kUsage, "rounds and steps of bench steps must be at least 1");
  std::vector<Variant> wanted{{"set", false, std::nullopt, options.steps}};
  if (journal) {
    wanted.push_back({"set+async", false, RunDurability::kAsync, options.steps});
    wanted.push_back({"set+sync", false, RunDurability::kSync, std::min(options.steps, kSyncSteps)});
  }
  if (!options.call_kind.empty()) {
    wanted.push_back({"call", true, std::nullopt, options.steps});
    if (journal) wanted.push_back({"call+async", true, RunDurability::kAsync, options.steps});
  }
  // A round of each after the other, so that a machine that slows down does so for all.
  std::vector<std::vector<double>> rounds(wanted.size());
  for (int round = 0; round < options.rounds; ++round)
    for (std::size_t v = 0; v < wanted.size(); ++v)
      CONSORT_CHECK_OK(add_round(kinds, journal, options, wanted[v], rounds[v]));
  Value::Array variants;
  for (std::size_t v = 0; v < wanted.size(); ++v) variants.push_back(measured(wanted[v], rounds[v]));
  const Value first = variants.front();
  Value::Object result{{"name", "steps"},
                       {"rounds", options.rounds},
                       {"microseconds_per_step", first.get("microseconds_per_step")},
                       {"min", first.get("min")},
                       {"max", first.get("max")},
                       {"variants", Value::array(std::move(variants))}};
  if (options.memory_steps > 0) {
    CONSORT_TRY(memory, measure_memory(kinds, options.memory_steps));
    result.emplace_back("memory", std::move(memory));
  }
  return Value::object(std::move(result));
}

}  // namespace consort
