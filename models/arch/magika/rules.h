// From the network's probabilities to a label: thresholds, the overwrite map and the fallback, as Magika's
// package applies them. Source: config.min.json and content_types_kb.min.json of the model.
#pragma once

#include <map>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "memory/base/status.h"
#include "models/network/network.h"

namespace consort::magika {

enum class Mode : std::uint8_t { kHighConfidence, kMediumConfidence, kBestGuess };

class Rules {
 public:
  // Reads both files in `folder`. Errors: kNotFound, kCorrupt with file and key.
  static Result<Rules> load(const std::string& folder);

  const std::vector<std::string>& labels() const { return labels_; }  // in the order of the outputs
  // `probabilities`: one for each label. labels[0] of the decision is the answer with the score of the
  // network's best; raw the network's `top` best.
  Decision decide(std::span<const double> probabilities, Mode mode, int top) const;

 private:
  std::vector<std::string> labels_;
  std::map<std::string, double, std::less<>> thresholds_;
  std::map<std::string, std::string, std::less<>> overwrite_;
  std::unordered_set<std::string> text_labels_;
  double medium_threshold_ = 0.5;
};

}  // namespace consort::magika
