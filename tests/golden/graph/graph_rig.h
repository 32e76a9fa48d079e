// A graph network with everything it needs to run, and the recorded references beside this file (data/).
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/exec/exec.h"
#include "models/network/network.h"

namespace consort::golden {

inline const char* const kGnnModels[] = {"gcn_contextpred",
                                         "graphsage_contextpred",
                                         "gat_contextpred",
                                         "gcn_supervised_contextpred",
                                         "graphsage_supervised_contextpred",
                                         "gat_supervised_contextpred"};

std::vector<nlohmann::json> read_lines(const std::string& name);  // data/<name>, JSON Lines
nlohmann::json read_json(const std::string& name);
// A tensor of data/<file> as floats.
std::vector<float> recorded(const std::string& file, const std::string& tensor);
// ||a - b|| / ||b||
double relative_distance(std::span<const float> a, std::span<const float> b);

struct GraphRig {
  explicit GraphRig(const std::string& model, int threads = 2, Isa isa = best_isa());
  Result<std::unique_ptr<Sample>> smiles(const std::string& text) const;
  Result<std::unique_ptr<Sample>> graph(const nlohmann::json& graph) const;
  // All samples in one forward pass.
  std::vector<float> embed(const std::vector<std::unique_ptr<Sample>>& samples,
                           EmbeddingLevel level = EmbeddingLevel::kItem);
  std::vector<float> embed(const Sample& sample, EmbeddingLevel level = EmbeddingLevel::kItem);

  std::unique_ptr<DevicePool> pool;
  ThreadPool threads;
  ScratchArena scratch;
  Exec exec;
  std::unique_ptr<Network> network;
};

}  // namespace consort::golden
