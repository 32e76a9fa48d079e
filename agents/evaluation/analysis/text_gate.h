// Texts mixed with weights that depend on what the members show before each piece. Private to this room.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "agents/ensemble/fitting/gate.h"
#include "agents/evaluation/analysis/text_table.h"

namespace consort {

// What is shown (chosen), the share of the weights that is dealt out anew after every token (chosen), and the
// gate that deals (fitted).
struct FittedGate {
  GateView view = GateView::kRecord;
  double share = 0;
  fitting::GateModel model;
};

class TextGate {
 public:
  // Reads what stands before every piece of the texts. `table` is held. REQUIRES: table.doubt, two members.
  static Result<TextGate> create(const TextTable& table, const Places& texts);

  // View and share are those that code texts best that the gate has not seen: folds over their groups
  // (group[text], a number; -1: none). With fewer than kGateFolds groups the record alone is looked at and
  // the share is that of the fitted texts themselves.
  Result<FittedGate> fit(const Places& texts, const std::vector<std::int32_t>& group, std::uint64_t seed,
                         std::span<const double> shares) const;
  Result<double> nats(const FittedGate& gate, std::size_t text) const;
  // {features, share, weights: the mean ones on these texts, gate: {columns, biases, weights}}
  Value parameters(const FittedGate& gate, const std::vector<std::string>& names, const Places& texts) const;

 private:
  explicit TextGate(const TextTable& table) : table_(&table) {}
  const fitting::Matrix& features(GateView view, std::size_t text) const {
    return features_[static_cast<std::size_t>(view)][text];
  }
  Result<fitting::GateModel> fit_model(GateView view, const Places& texts) const;
  fitting::Matrix dealt(const fitting::GateModel& model, GateView view, std::size_t text) const;

  const TextTable* table_;
  std::array<std::vector<fitting::Matrix>, std::size(kGateViews)> features_;  // [view][text]
};

inline constexpr int kGateFolds = 3;

}  // namespace consort
