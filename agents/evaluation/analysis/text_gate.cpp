#include "agents/evaluation/analysis/text_gate.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "agents/ensemble/dealt_code.h"
#include "agents/ensemble/fitting/logistic.h"

namespace consort {
namespace {

constexpr double kPenalty = 3;
constexpr std::size_t kMostPieces = 100000;  // that a gate is fitted on; of more, evenly spaced ones

}  // namespace

Result<TextGate> TextGate::create(const TextTable& table, const Places& texts) {
  TextGate gate(table);
  for (const GateView view : kGateViews) {
    auto& all = gate.features_[static_cast<std::size_t>(view)];
    all.resize(table.pieces.size());
    for (const std::size_t i : texts) {
      CONSORT_TRY(rows, gate_features(table.pieces[i], table.doubts[i], view));
      all[i] = std::move(rows);
    }
  }
  return gate;
}

Result<fitting::GateModel> TextGate::fit_model(GateView view, const Places& texts) const {
  std::size_t pieces = 0;
  for (const std::size_t i : texts) pieces += table_->pieces[i].ends.size();
  const std::size_t stride = (pieces + kMostPieces - 1) / kMostPieces;
  fitting::Matrix x, log_p;
  std::size_t seen = 0;
  for (const std::size_t i : texts) {
    const fitting::Matrix& rows = features(view, i);
    x.columns = rows.columns;
    log_p.columns = table_->members();
    for (std::size_t t = 0; t < rows.rows(); ++t) {
      if (seen++ % stride != 0) continue;
      const auto row = rows.row(t);
      x.values.insert(x.values.end(), row.begin(), row.end());
      for (const auto& lp : table_->pieces[i].lp) log_p.values.push_back(lp[t]);
    }
  }
  return fitting::fit_gate(x, log_p, kPenalty);
}

fitting::Matrix TextGate::dealt(const fitting::GateModel& model, GateView view, std::size_t text) const {
  const fitting::Matrix& rows = features(view, text);
  fitting::Matrix out(rows.rows(), table_->members());
  for (std::size_t t = 0; t < rows.rows(); ++t) {
    const std::vector<double> weights = model.log_weights(rows.row(t));
    std::copy(weights.begin(), weights.end(), out.row(t).begin());
  }
  return out;
}

Result<FittedGate> TextGate::fit(const Places& texts, const std::vector<std::int32_t>& group,
                                 std::uint64_t seed, std::span<const double> shares) const {
  std::vector<std::int32_t> groups;
  for (const std::size_t i : texts) groups.push_back(group[i]);
  const bool folded = std::set<std::int32_t>(groups.begin(), groups.end()).size() >= kGateFolds;
  std::vector<int> folds(texts.size(), 0);
  if (folded) {
    CONSORT_TRY(dealt_folds, fitting::group_folds(texts.size(), groups, kGateFolds, seed));
    folds = std::move(dealt_folds);
  }
  FittedGate best;
  double least = kUnknown;
  for (const GateView view : kGateViews) {
    if (!folded && view != GateView::kRecord) continue;
    std::vector<double> sums(shares.size(), 0.0);
    for (int fold = 0; fold < (folded ? kGateFolds : 1); ++fold) {
      Places in, out;
      for (std::size_t k = 0; k < texts.size(); ++k) (folds[k] == fold ? out : in).push_back(texts[k]);
      CONSORT_TRY(model, fit_model(view, folded ? in : out));
      for (const std::size_t i : out) {
        const fitting::Matrix weights = dealt(model, view, i);
        for (std::size_t s = 0; s < shares.size(); ++s) {
          CONSORT_TRY(code, deal_code(table_->pieces[i], shares[s], weights));
          sums[s] += code.nats;
        }
      }
    }
    for (std::size_t s = 0; s < shares.size(); ++s) {
      if (!std::isnan(least) && sums[s] >= least) continue;
      least = sums[s];
      best.view = view;
      best.share = shares[s];
    }
  }
  CONSORT_TRY(model, fit_model(best.view, texts));
  best.model = std::move(model);
  return best;
}

Result<double> TextGate::nats(const FittedGate& gate, std::size_t text) const {
  CONSORT_TRY(code, deal_code(table_->pieces[text], gate.share, dealt(gate.model, gate.view, text)));
  return code.nats;
}

Value TextGate::parameters(const FittedGate& gate, const std::vector<std::string>& names,
                           const Places& texts) const {
  std::vector<double> mean(names.size(), 0.0);
  double pieces = 0;
  for (const std::size_t i : texts) {
    const fitting::Matrix weights = dealt(gate.model, gate.view, i);
    for (std::size_t t = 0; t < weights.rows(); ++t)
      for (std::size_t m = 0; m < mean.size(); ++m) mean[m] += std::exp(weights.at(t, m));
    pieces += static_cast<double>(weights.rows());
  }
  for (double& w : mean) w /= pieces;
  Value::Array columns;
  for (std::string& name : gate_feature_names(gate.view, names)) columns.emplace_back(std::move(name));
  Value::Object weights;
  for (std::size_t m = 0; m < names.size(); ++m) {
    const auto row = gate.model.weights.row(m);
    weights.emplace_back(names[m], Value::array(Value::Array(row.begin(), row.end())));
  }
  return Value::object({{"features", std::string(gate_view_name(gate.view))},
                        {"share", gate.share},
                        {"weights", named_numbers(names, mean)},
                        {"gate", Value::object({{"columns", Value::array(std::move(columns))},
                                                {"biases", named_numbers(names, gate.model.biases)},
                                                {"weights", Value::object(std::move(weights))}})}});
}

}  // namespace consort
