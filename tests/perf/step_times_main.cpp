// step_times [model] [context] [threads] [sequences...]: what a decode step of several sequences costs, op by
// op. Times are processor time of the stepping thread (minimum over repeats), so a busy machine disturbs little;
// with more than one thread they are wall time.
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "models/layers/ops.h"
#include "tests/golden/rig.h"

namespace consort {
namespace {

constexpr int kRepeats = 25;

double now_ms(bool wall) {
  timespec t{};
  clock_gettime(wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

// Sums the time of each kind of op over one step.
class OpTimes final : public OpRecorder {
 public:
  explicit OpTimes(bool wall) : wall_(wall) {}
  void before(const OpCall&) override { start_ = now_ms(wall_); }
  void after(const OpCall& call) override { sums[std::string(call.op)] += now_ms(wall_) - start_; }
  std::map<std::string, double> sums;

 private:
  bool wall_;
  double start_ = 0;
};

using Times = std::map<std::string, double>;

// The least time of each op and of the whole step.
Times step_times(golden::Rig& rig, std::vector<KvSequence>& sequences, int context, bool wall) {
  const auto vocab = static_cast<std::int64_t>(rig.model().info().vocab_size);
  const auto n = static_cast<std::int64_t>(sequences.size());
  std::vector<float> logits(static_cast<std::size_t>(n * vocab));
  std::vector<std::int32_t> tokens(sequences.size());
  std::vector<SequenceSlice> slices;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    tokens[i] = static_cast<std::int32_t>(100 + i);
    slices.push_back({{&tokens[i], 1}, context, sequences[i].view(), LogitsWanted::kLast});
  }
  Times least;
  for (int repeat = 0; repeat < 2 * kRepeats; ++repeat) {
    OpTimes ops(wall);
    const bool by_op = repeat % 2 == 0;  // the whole step is timed without the recorder
    rig.model().set_op_recorder(by_op ? &ops : nullptr);
    StepOutput out{make_view(logits.data(), DType::kF32, {n, vocab})};
    const double start = now_ms(wall);
    if (auto done = rig.model().forward(rig.exec(), {slices}, out); !done) {
      fmt::print(stderr, "{}\n", done.error().line());
      std::exit(3);
    }
    if (!by_op) ops.sums["step"] = now_ms(wall) - start;
    for (const auto& [op, ms] : ops.sums) {
      const auto [at, fresh] = least.emplace(op, ms);
      if (!fresh) at->second = std::min(at->second, ms);
    }
  }
  rig.model().set_op_recorder(nullptr);
  return least;
}

int run(int argc, char** argv) {
  const std::string model = argc > 1 ? argv[1] : "smollm2-135m-instruct";
  const int context = argc > 2 ? std::atoi(argv[2]) : 100, threads = argc > 3 ? std::atoi(argv[3]) : 1;
  std::vector<int> counts;
  for (int i = 4; i < argc; ++i) counts.push_back(std::atoi(argv[i]));
  if (counts.empty()) counts = {1, 2, 4, 8};
  golden::Rig rig(model, threads);
  std::vector<std::int32_t> prompt(static_cast<std::size_t>(context));
  for (std::size_t i = 0; i < prompt.size(); ++i) prompt[i] = static_cast<std::int32_t>(50 + i * 7 % 3000);
  double one = 0;
  for (const int count : counts) {
    std::vector<KvSequence> sequences;
    for (int i = 0; i < count; ++i) {
      sequences.push_back(rig.cache().new_sequence());
      rig.extend(sequences.back(), prompt);
      if (auto room = sequences.back().reserve(1); !room) return 3;
    }
    const Times times = step_times(rig, sequences, context, threads > 1);
    const double step = times.at("step");
    if (one == 0) one = step / count;
    fmt::print("{} sequences: step {:.2f} ms, {:.2f} times the tokens/s of the first line\n", count, step,
               one * count / step);
    for (const auto& [op, ms] : times)
      if (op != "step") fmt::print("    {:20s} {:8.3f} ms\n", op, ms);
  }
  return 0;
}

}  // namespace
}  // namespace consort

int main(int argc, char** argv) {
  return consort::run(argc, argv);
}
