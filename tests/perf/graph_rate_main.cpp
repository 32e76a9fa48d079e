// graph_rate FILE.safetensors MOLECULES.jsonl [ROUNDS]: molecules a second of one core through SMILES parsing
// and a graph network, by processor time (so that a busy machine does not count), median of the rounds.
// Prints the share of each half. Results of all rounds are compared bit for bit.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "models/arch/registry.h"

namespace consort {
namespace {

double processor_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ssize(values) / 2, values.end());
  return values[values.size() / 2];
}

int run(const std::string& file, const std::vector<std::string>& smiles, int rounds) {
  const auto pool = DevicePool::create_cpu(std::size_t{1} << 30).value();
  ThreadPool threads(1);
  ScratchArena scratch(*pool, Owner{"activations", "rate"});
  Exec exec{threads, scratch};
  auto source = open_weights(file);
  if (!source) return fmt::print(stderr, "{}\n", source.error().line()), 4;
  LoadContext context{exec, *pool, file};
  auto network = find_architecture("gnn")->load_network(
      std::shared_ptr<const WeightSource>(std::move(*source)), nullptr, context);
  if (!network) return fmt::print(stderr, "{}\n", network.error().line()), 4;
  std::vector<float> first, out(smiles.size() * static_cast<std::size_t>((*network)->info().dimension));
  std::vector<double> parse_times, forward_times, rates;
  for (int round = 0; round <= rounds; ++round) {  // the first warms up
    const double start = processor_seconds();
    std::vector<std::unique_ptr<Sample>> samples;
    std::vector<const Sample*> pointers;
    for (const std::string& text : smiles) {
      NetworkInput input;
      input.kind = InputKind::kMolecule;
      input.text = text;
      auto sample = (*network)->prepare(input);
      if (!sample) return fmt::print(stderr, "{}\n", sample.error().line()), 5;
      pointers.push_back(sample->get());
      samples.push_back(std::move(*sample));
    }
    const double parsed = processor_seconds();
    NetworkOutput output{
        EmbeddingLevel::kItem,
        make_view(out.data(), DType::kF32, {std::ssize(smiles), (*network)->info().dimension}),
        {}};
    if (const Status done = (*network)->forward(exec, pointers, output); !done)
      return fmt::print(stderr, "{}\n", done.error().line()), 5;
    const double end = processor_seconds();
    if (round == 0) {
      first = out;
      continue;
    }
    if (out != first) return fmt::print(stderr, "a round gave other embeddings\n"), 5;
    const double items = static_cast<double>(smiles.size());
    parse_times.push_back((parsed - start) / items);
    forward_times.push_back((end - parsed) / items);
    rates.push_back(items / (end - start));
  }
  fmt::print(
      "{:.0f} molecules a second and core: {:.1f} us SMILES, {:.1f} us network ({} molecules, {} rounds)\n",
      median(rates), 1e6 * median(parse_times), 1e6 * median(forward_times), smiles.size(), rounds);
  return 0;
}

}  // namespace
}  // namespace consort

int main(int argc, char** argv) {
  if (argc < 3) return fmt::print(stderr, "graph_rate FILE.safetensors MOLECULES.jsonl [ROUNDS]\n"), 2;
  std::vector<std::string> smiles;
  std::ifstream lines(argv[2]);
  for (std::string line; std::getline(lines, line);)
    smiles.push_back(nlohmann::json::parse(line)["smiles"].get<std::string>());
  if (smiles.empty()) return fmt::print(stderr, "no molecules in {}\n", argv[2]), 4;
  return consort::run(argv[1], smiles, argc > 3 ? std::max(1, std::stoi(argv[3])) : 20);
}
