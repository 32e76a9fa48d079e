// encoder_times MODEL file|int16 ITEMS [tokens] [threads] [serve]: what passes of an encoder cost, op by op, and how
// near the whole comes to the machine's float32 rate. ITEMS: a file of texts, one a line, sorted by length and taken
// in batches of about `tokens` (default 200: about a step of the engine); for a network that sees pictures their
// paths, one a line, prepared (decoded, resized) before the clock runs. Times are processor time (of the whole
// process, minimum over repeats), so a busy machine disturbs little. With `serve` it answers every line of
// standard input with the wall and processor time of one pass over all texts (compare_encoders asks).
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "models/layers/ops.h"
#include "tests/golden/rig.h"

namespace consort {
namespace {

constexpr int kRepeats = 9;

double now_ms(clockid_t clock = CLOCK_PROCESS_CPUTIME_ID) {
  timespec t{};
  clock_gettime(clock, &t);
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

constexpr std::string_view kQuery = "where does the keeper of the light live";  // as in `consort bench rerank`

std::vector<std::string> lines_of(const char* path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) lines.push_back(line);
  return lines;
}

// All items (pairs with kQuery for a reranker), longest first, and passes over them.
class Items {
 public:
  Items(golden::Rig& rig, std::span<const std::string> lines, int tokens) : rig_(rig), tokens_(tokens) {
    const InputKind kind = rig.network().info().inputs.front();
    classifies_ = kind != InputKind::kText;
    std::vector<NetworkInput> inputs;
    std::vector<std::string> files;
    for (const std::string& line : lines) files.push_back(kind == InputKind::kImage ? golden::read_text(line) : "");
    for (std::size_t i = 0; i < lines.size(); ++i) {
      NetworkInput input;
      input.kind = kind;
      input.text = kind == InputKind::kPair ? kQuery : std::string_view(lines[i]);
      input.passage = lines[i];
      input.bytes = std::as_bytes(std::span(files[i]));
      inputs.push_back(input);
    }
    samples_ = rig.prepare(inputs);
    std::stable_sort(samples_.begin(), samples_.end(),
                     [](const auto& a, const auto& b) { return a->tokens > b->tokens; });
  }
  double flop() const {
    double sum = 0;
    for (const auto& sample : samples_) sum += sample->flop;
    return sum;
  }
  std::size_t count() const { return samples_.size(); }
  void pass() {
    for (std::size_t begin = 0, end = 0; begin < samples_.size(); begin = end) {
      int tokens = 0;
      while (end < samples_.size() && (end == begin || tokens + samples_[end]->tokens <= tokens_))
        tokens += samples_[end++]->tokens;
      const std::span some(samples_.data() + begin, end - begin);
      classifies_ ? rig_.classify(some) : rig_.embed(some, rig_.network().info().level);
    }
  }

 private:
  golden::Rig& rig_;
  int tokens_;
  bool classifies_ = false;
  std::vector<std::unique_ptr<Sample>> samples_;
};

void serve(Items& items) {
  items.pass();
  fmt::print("{{\"flop\": {}}}\n", items.flop());
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    const double wall = now_ms(CLOCK_MONOTONIC), processor = now_ms();
    items.pass();
    fmt::print("{{\"wall_ms\": {}, \"processor_ms\": {}}}\n", now_ms(CLOCK_MONOTONIC) - wall,
               now_ms() - processor);
    std::fflush(stdout);
  }
}

std::map<std::string, double> least_times(golden::Rig& rig, Items& items) {
  std::map<std::string, double> least;
  for (int repeat = 0; repeat < 2 * kRepeats; ++repeat) {
    OpTimes ops;
    const bool by_op = repeat % 2 == 0;  // the whole is timed without the recorder
    rig.network().set_op_recorder(by_op ? &ops : nullptr);
    const double start = now_ms();
    items.pass();
    if (!by_op) ops.sums["all"] = now_ms() - start;
    for (const auto& [op, ms] : ops.sums) {
      const auto [at, fresh] = least.emplace(op, ms);
      if (!fresh) at->second = std::min(at->second, ms);
    }
  }
  rig.network().set_op_recorder(nullptr);
  return least;
}

int run(int argc, char** argv) {
  const std::string model = argv[1], precision = argv[2];
  const int tokens = argc > 4 ? std::atoi(argv[4]) : 200, threads = argc > 5 ? std::atoi(argv[5]) : 1;
  golden::Rig rig(model, threads, precision == "int16" ? Precision::kInt16 : Precision::kFile);
  const std::vector<std::string> lines = lines_of(argv[3]);
  Items items(rig, lines, tokens);
  if (argc > 6 && std::string_view(argv[6]) == "serve") return serve(items), 0;
  const auto least = least_times(rig, items);
  fmt::print("{} {}: {} items, {:.1f} GFLOP a processor second\n", model, precision, items.count(),
             items.flop() / least.at("all") / 1e6);
  for (const auto& [op, ms] : least) fmt::print("    {:20s} {:9.2f} ms\n", op, ms);
  return 0;
}

}  // namespace
}  // namespace consort

int main(int argc, char** argv) {
  if (argc < 4) return fmt::print(stderr, "encoder_times MODEL file|int16 ITEMS [tokens] [threads] [serve]\n"), 2;
  return consort::run(argc, argv);
}
