// A linear head on a frozen model's embeddings: ridge regression for numbers, logistic regression for
// classes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "memory/base/status.h"

namespace consort {

enum class ProbeKind : std::uint8_t { kRidge, kLogistic };

// Immutable after fitting or loading; usable from any thread.
struct Probe {
  ProbeKind kind = ProbeKind::kRidge;
  std::string model, weights_digest;  // the encoder's; a probe answers for this one only
  std::string target;                 // what it says: the name of a column
  std::string level = "item";         // of the embeddings: "item" or "part"
  double penalty = 0;
  std::vector<std::string> labels;  // logistic: the classes, sorted; ridge: empty
  std::size_t dimension = 0;
  // One row for ridge and two classes (the second class's logit), else one row a class.
  std::vector<float> weights;  // [rows, dimension]
  std::vector<float> bias;     // [rows]

  std::size_t rows() const { return bias.size(); }
  // Ridge: one number. Logistic: a probability for each label, summing to 1 (one against the rest: the
  // normalised sigmoids). REQUIRES: embedding.size() == dimension. Errors: kInvalid for values that are not
  // finite.
  Result<std::vector<double>> apply(std::span<const float> embedding) const;
};

// Errors: kIo. The file is safetensors: tensors `weights` and `bias`, the rest as metadata.
Status save_probe(const Probe& probe, const std::string& path);
// Errors: kNotFound; kInvalid or kCorrupt for a file that is no probe, naming what is wrong.
Result<Probe> load_probe(const std::string& path);

}  // namespace consort
