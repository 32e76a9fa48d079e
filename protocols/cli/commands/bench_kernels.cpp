// bench kernels: every op's cases on this machine, checked against the reference, then timed against the
// roof.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "kernels/op_list/op_list.h"
#include "protocols/cli/commands/bench_tools.h"

namespace consort::bench {
namespace {

constexpr std::size_t kPoolBytes = std::size_t{3} << 30;
constexpr double kSecondsPerCase = 0.05;

// One op's figures.
struct Timed {
  std::string name;
  std::vector<double> seconds;  // of one run, a round each
  PreparedCase prepared;
};

// Runs `c` and its reference; an error names the case and the first output that is off.
Status check_case(const std::string& name, const PreparedCase& c, Exec& exec) {
  if (!c.reference) return {};
  std::fill(c.out->begin(), c.out->end(), std::numeric_limits<float>::quiet_NaN());
  c.reference();
  c.run(exec);
  if (const std::string wrong = first_difference(c); !wrong.empty())
    return fail(ErrorKind::kRuntime, fmt::format("{}: {}", name, wrong), "bench kernels");
  return {};
}

double least_seconds(const PreparedCase& c, Exec& exec) {
  double least = std::numeric_limits<double>::infinity();
  const auto begin = Clock::now();
  do {
    const auto start = Clock::now();
    c.run(exec);
    least = std::min(least, std::chrono::duration<double>(Clock::now() - start).count());
  } while (milliseconds_since(begin) < kSecondsPerCase * 1000);
  return least;
}

// The seconds that the machine's rates allow: bytes from memory (from the second-level cache when they fit)
// and arithmetic, whichever takes longer.
double roof_seconds(const PreparedCase& c, const Machine& m) {
  constexpr double kCacheBytes = 1 << 20;  // a thread's half of the second-level cache
  constexpr double kL3Bytes = 8 << 20;
  const double rate = c.bytes <= kCacheBytes * m.threads ? m.roof.cache_read_gbs
                      : c.bytes <= kL3Bytes              ? m.roof.l3_read_gbs
                                                         : m.roof.dram_read_gbs;
  const double arithmetic = c.int8_ops > 0 ? c.int8_ops / m.roof.int8_gops : c.flops / m.roof.f32_gflops;
  return std::max(c.bytes / rate, arithmetic) * 1e-9;
}

Value row(const Timed& t, const Machine& m) {
  std::vector<double> sorted = t.seconds;
  std::sort(sorted.begin(), sorted.end());
  const double seconds = sorted[sorted.size() / 2];
  return Value::object({{"name", t.name},
                        {"microseconds", seconds * 1e6},
                        {"gbs", t.prepared.bytes / seconds * 1e-9},
                        {"gflops", t.prepared.flops / seconds * 1e-9},
                        {"share_of_roof", roof_seconds(t.prepared, m) / seconds},
                        {"checked", t.prepared.reference != nullptr}});
}

}  // namespace

Result<Value> kernels(CliContext& c, const Flags& f) {
  const Machine machine = measure_machine(c);
  CONSORT_TRY(pool, DevicePool::create_cpu(kPoolBytes));
  ThreadPool workers(machine.threads);
  ScratchArena scratch(*pool, Owner{"activations", "bench"});
  Exec exec{workers, scratch, machine.isa};
  const std::vector<Op> ops = all_ops();
  Progress progress(c.console, "kernels", "ops");
  std::uint64_t done = 0;
  std::int64_t checked = 0;
  Value::Array rows;
  for (const Op& op : ops) {
    for (const OpCase& one : op.cases) {
      if (c.stop.stop_requested()) return fail(ErrorKind::kCancelled, "the bench was interrupted");
      Timed timed{op.name + ": " + one.name, {}, one.prepare(exec)};
      CONSORT_CHECK_OK(check_case(timed.name, timed.prepared, exec));
      checked += timed.prepared.reference != nullptr;
      if (!one.perf) continue;
      for (int round = 0; round < f.rounds; ++round)
        timed.seconds.push_back(least_seconds(timed.prepared, exec));
      rows.push_back(row(timed, machine));
    }
    progress.update(++done, ops.size());
  }
  progress.finish();
  return Value::object({{"name", "kernels"},
                        {"threads", machine.threads},
                        {"isa", std::string(isa_name(machine.isa))},
                        {"rounds", f.rounds},
                        {"cases_checked", checked},
                        {"kernels", Value::array(std::move(rows))},
                        {"roof", roof_value(machine)}});
}

}  // namespace consort::bench
