// encoder_times MODEL file|int16 TEXTS [tokens] [threads]: what passes of a text encoder cost, op by op, and how
// near the whole comes to the machine's float32 rate. TEXTS: a file of lines, sorted by length and taken in
// batches of about `tokens` (default 100: a step of the engine). Times are processor time (of the whole process,
// minimum over repeats), so a busy machine disturbs little.
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "models/layers/ops.h"
#include "tests/golden/rig.h"

namespace consort {
namespace {

constexpr int kRepeats = 9;

double now_ms() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

class OpTimes final : public OpRecorder {
 public:
  void before(const OpCall&) override { start_ = now_ms(); }
  void after(const OpCall& call) override { sums[std::string(call.op)] += now_ms() - start_; }
  std::map<std::string, double> sums;

 private:
  double start_ = 0;
};

int run(int argc, char** argv) {
  const std::string model = argv[1], precision = argv[2];
  const int most = argc > 4 ? std::atoi(argv[4]) : 100, threads = argc > 5 ? std::atoi(argv[5]) : 1;
  golden::Rig rig(model, threads, precision == "int16" ? Precision::kInt16 : Precision::kFile);
  std::vector<std::string> lines;
  std::ifstream file(argv[3]);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  std::vector<NetworkInput> inputs;
  const bool pairs = rig.network().info().inputs.front() == InputKind::kPair;
  for (const std::string& line : lines) {
    NetworkInput input;
    input.kind = pairs ? InputKind::kPair : InputKind::kText;
    input.text = pairs ? std::string_view(lines.front()) : std::string_view(line);
    input.passage = line;
    inputs.push_back(input);
  }
  auto samples = rig.prepare(inputs);
  std::stable_sort(samples.begin(), samples.end(),
                   [](const auto& a, const auto& b) { return a->tokens > b->tokens; });
  double flop = 0;
  for (const auto& sample : samples) flop += sample->flop;
  const auto pass = [&] {
    for (std::size_t begin = 0, end = 0; begin < samples.size(); begin = end) {
      int tokens = 0;
      while (end < samples.size() && (end == begin || tokens + samples[end]->tokens <= most))
        tokens += samples[end++]->tokens;
      const std::span some(samples.data() + begin, end - begin);
      pairs ? rig.classify(some) : rig.embed(some);
    }
  };
  std::map<std::string, double> least;
  for (int repeat = 0; repeat < 2 * kRepeats; ++repeat) {
    OpTimes ops;
    const bool by_op = repeat % 2 == 0;  // the whole is timed without the recorder
    rig.network().set_op_recorder(by_op ? &ops : nullptr);
    const double start = now_ms();
    pass();
    if (!by_op) ops.sums["all"] = now_ms() - start;
    for (const auto& [op, ms] : ops.sums) {
      const auto [at, fresh] = least.emplace(op, ms);
      if (!fresh) at->second = std::min(at->second, ms);
    }
  }
  rig.network().set_op_recorder(nullptr);
  fmt::print("{} {}: {} texts, {:.1f} GFLOP a processor second\n", model, precision, samples.size(),
             flop / least.at("all") / 1e6);
  for (const auto& [op, ms] : least) fmt::print("    {:20s} {:9.2f} ms\n", op, ms);
  return 0;
}

}  // namespace
}  // namespace consort

int main(int argc, char** argv) {
  if (argc < 4) return fmt::print(stderr, "encoder_times MODEL file|int16 TEXTS [tokens] [threads]\n"), 2;
  return consort::run(argc, argv);
}
