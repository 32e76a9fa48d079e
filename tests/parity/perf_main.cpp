// parity_perf [op] [--filter TEXT] [--isa NAME] [--threads N]: times the ops' perf cases (minimum of repeats)
// and prints GB/s and GFLOP/s beside what the machine can do.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "kernels/cpu/roof.h"
#include "kernels/op_list/op_list.h"

namespace consort::parity {
namespace {

struct Options {
  std::string op, filter;
  Isa isa = best_isa();
  int threads = 0;  // 0: one, then all usable
};

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    if (i + 1 < argc && a == "--filter")
      o.filter = argv[++i];
    else if (i + 1 < argc && a == "--isa")
      o.isa = isa_from_name(argv[++i]).value_or(o.isa);
    else if (i + 1 < argc && a == "--threads")
      o.threads = std::atoi(argv[++i]);
    else
      o.op = a;
  }
  return o;
}

// The least seconds of a run: at least 5 runs and 0.3 s, at most 3 s.
double least_seconds(const PreparedCase& c, Exec& exec) {
  using Clock = std::chrono::steady_clock;
  double least = 1e9, total = 0;
  c.run(exec);
  for (int i = 0; (i < 5 || total < 0.3) && total < 3; ++i) {
    const auto start = Clock::now();
    c.run(exec);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    least = std::min(least, seconds);
    total += seconds;
  }
  return least;
}

void run(const Options& o) {
  auto pool = DevicePool::create_cpu(std::size_t{2} << 30).value();
  std::vector<int> counts{1};
  if (usable_cores() > 1) counts.push_back(usable_cores());
  if (o.threads > 0) counts = {o.threads};
  ScratchArena scratch(*pool, {"activations", "perf"});
  for (int threads : counts) {
    ThreadPool workers(threads);
    Exec exec{workers, scratch, o.isa};
    const Roof roof = measure_roof(o.isa, threads);
    fmt::print(
        "\n{} threads {}: memory {:.1f} GB/s, L3 {:.1f}, cache {:.1f}, f32 {:.1f} GFLOP/s, int16 {:.1f} "
        "GOP/s, "
        "int8 {:.1f}\n",
        isa_name(o.isa), threads, roof.dram_read_gbs, roof.l3_read_gbs, roof.cache_read_gbs, roof.f32_gflops,
        roof.int16_gops, roof.int8_gops);
    fmt::print("{:60s} {:>10s} {:>8s} {:>6s} {:>9s} {:>6s}\n", "case", "ms", "GB/s", "of mem", "GFLOP/s",
               "of f32");
    for (const Op& op : all_ops()) {
      if (!o.op.empty() && op.name != o.op) continue;
      for (const OpCase& c : op.cases) {
        if (!c.perf || c.name.find(o.filter) == std::string::npos) continue;
        const PreparedCase prepared = c.prepare(exec);
        const double s = least_seconds(prepared, exec);
        const double gbs = prepared.bytes / s * 1e-9, gflops = prepared.flops / s * 1e-9;
        fmt::print("{:60s} {:10.3f} {:8.2f} {:5.0f}% {:9.2f} {:5.0f}%\n", op.name + ": " + c.name, s * 1e3,
                   gbs, 100 * gbs / roof.dram_read_gbs, gflops, 100 * gflops / roof.f32_gflops);
        std::fflush(stdout);
      }
    }
  }
}

}  // namespace
}  // namespace consort::parity

int main(int argc, char** argv) {
  consort::parity::run(consort::parity::parse(argc, argv));
  return 0;
}
