// Heads: from embeddings to a distribution over a task's labels, by the items of the training split alone.
// Pure functions; any thread.
#pragma once

#include <vector>

#include "agents/evaluation/task/task.h"
#include "memory/base/status.h"

namespace consort {

using Vectors = std::vector<std::vector<float>>;  // one an item of the task, length 1; all of one dimension
using LogDistributions = std::vector<std::vector<double>>;  // [item][class] ln p; empty where nothing is said

// ln p over task.labels for every item that is not of the training split:
//   knn: the `neighbours` nearest training items by cosine vote with e^(cosine / 0.05), then a thousandth of
//        the mass is spread evenly; centroid: softmax of cosine to each label's mean direction / 0.05;
//   probe: a logistic probe, one label against the rest (models/probe), its penalty (0.01, 0.1 or 1) by
//   three-fold cross-validation; 0.1 where a Newton step would cost more than 2e9 multiplications.
// Errors: kInvalid without training items, when a label has none of them (probe, centroid), for vectors of
// different lengths; those of fit_probe.
Result<LogDistributions> head_distributions(const Task& task, const Vectors& vectors, std::uint64_t seed);

// [sqrt(w_m) z_m] of each item, so that the cosine is the weighted mean of the members' (research note A5).
// REQUIRES: members have as many vectors each; weights are normalised.
Vectors concatenated(const std::vector<Vectors>& members, const std::vector<double>& weights);

}  // namespace consort
