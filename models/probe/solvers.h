// One row of a probe for a list of penalties. Private to this room.
#pragma once

#include <span>
#include <vector>

#include "models/probe/cholesky.h"
#include "models/probe/fit.h"

namespace consort {

// score = weights . embedding + bias, in the embedding's own units.
struct LinearRow {
  std::vector<double> weights;
  double bias = 0;
  double score(const ProbeData& data, std::size_t example) const {
    double sum = bias;
    for (std::size_t i = 0; i < weights.size(); ++i)
      sum += weights[i] * data.embeddings[example * data.dimension + i];
    return sum;
  }
};

// Some of the examples, their columns shifted and scaled to mean 0 and deviation 1 (columns that do not vary
// become 0); the Gram matrix once for all rows and penalties.
class TrainingSet {
 public:
  TrainingSet(const ProbeData& data, std::span<const std::size_t> examples);

  std::size_t size() const { return examples_.size(); }
  std::size_t dimension() const { return means_.size(); }
  std::span<const double> x() const { return x_; }  // [size, dimension]
  const SymmetricMatrix& gram() const { return gram_; }
  std::size_t example(std::size_t i) const { return examples_[i]; }
  LinearRow in_own_units(std::span<const double> weights, double bias) const;

 private:
  std::vector<std::size_t> examples_;
  std::vector<double> x_, means_, inverse_deviations_;
  SymmetricMatrix gram_;
};

SymmetricMatrix with_penalty(const SymmetricMatrix& gram, double penalty);  // added to the diagonal

// `y`: 0 or 1 for each example of the set. Rows in the order of the penalties.
std::vector<LinearRow> fit_logistic(const TrainingSet& set, const std::vector<double>& y,
                                    std::span<const double> penalties);

// `targets`: of all examples of the data, indexed by TrainingSet::example(). Logistic targets are 0 and 1.
std::vector<LinearRow> fit_row(const TrainingSet& set, const std::vector<double>& targets, ProbeKind kind,
                               std::span<const double> penalties);

}  // namespace consort
