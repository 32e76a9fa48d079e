// Linear and log pools over one list of choices (research note A2). Private to this room.
#pragma once

#include "agents/ensemble/ranking.h"
#include "agents/ensemble/strategy.h"

namespace consort::ensemble {

enum class PoolKind { kLinear, kLog };

// ln p of the pool over the choices. members: [member][choice] ln p, each a distribution; weights sum to 1.
// Linear: ln sum_m w_m p_m. Log: sum_m w_m ln p_m, normalised; `log_partition` gets ln Z <= 0.
std::vector<double> pooled(PoolKind kind, const std::vector<std::vector<double>>& members,
                           const std::vector<double>& weights, double* log_partition = nullptr);
// Jensen-Shannon divergence: H(sum w p) - sum w H(p), nats, >= 0.
double divergence(const std::vector<std::vector<double>>& members, const std::vector<double>& weights);

// options: {scores: "logProb" | "logProbPerByte", temperature, floor}.
Result<EnsembleResult> combine_pool(PoolKind kind, std::string_view strategy, const PredictionTable& table,
                                    const Value& options);

}  // namespace consort::ensemble
