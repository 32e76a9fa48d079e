#include "agents/evaluation/analysis/text_codes.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "agents/ensemble/dealt_code.h"
#include "agents/ensemble/mixture.h"

namespace consort {
namespace {

constexpr double kByteShares[] = {0.0005, 0.002, 0.005, 0.01, 0.02, 0.05};
constexpr double kTokenShares[] = {0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9};

struct Offer {
  TextStrategy strategy;
  bool whole, bytes, tokens;  // which tables allow it
  bool learns;
};
constexpr Offer kOffers[] = {
    {{"bayes",
      "Bayesian mixture over each whole text, equal priors: at most log2 M bits above the best member"},
     true,
     true,
     true,
     false},
    {{"linearPool", "mean of the members' probabilities of every byte"}, false, true, false, false},
    {{"linearPool fitted", "weighted mean of the members' probabilities of every byte, weights by EM"},
     false,
     true,
     false,
     true},
    {{"fixedShare",
      "Bayesian weights that forget: after every byte or token a share, fitted, is dealt out anew"},
     false,
     true,
     true,
     true},
    {{"fixedShare fitted", "the same, dealt by weights that EM finds for the pieces between tokens"},
     false,
     false,
     true,
     true},
    {{"gated",
      "the same, dealt by a gate that sees the members' record and doubt before each piece (Jacobs 1991)"},
     false,
     false,
     true,
     true}};

const Offer* offer_of(const std::string& name) {
  return std::find_if(std::begin(kOffers), std::end(kOffers),
                      [&](const Offer& o) { return name == o.strategy.name; });
}

}  // namespace

TextCodes::TextCodes(const TextTable& table, const Splits& splits, std::vector<std::string> names,
                     std::vector<int> folds, std::uint64_t seed)
    : table_(&table),
      splits_(&splits),
      names_(std::move(names)),
      folds_(std::move(folds)),
      group_(table.size.size(), -1),
      seed_(seed) {
  for (std::size_t k = 0; k < splits.fit.size(); ++k) group_[splits.fit[k]] = splits.fit_groups[k];
}

Result<TextCodes> TextCodes::create(const TextTable& table, const Splits& splits,
                                    std::vector<std::string> names, std::vector<int> folds,
                                    std::uint64_t seed) {
  TextCodes codes(table, splits, std::move(names), std::move(folds), seed);
  if (!table.doubt || codes.names_.size() < 2) return codes;
  Places all = splits.fit;
  all.insert(all.end(), splits.test.begin(), splits.test.end());
  CONSORT_TRY(gate, TextGate::create(table, all));
  codes.gate_ = std::make_shared<const TextGate>(std::move(gate));
  return codes;
}

std::vector<TextStrategy> TextCodes::strategies() const {
  std::vector<TextStrategy> out;
  if (names_.size() < 2) return out;
  for (const Offer& o : kOffers) {
    const bool allowed = table_->mixing == TextMixing::kBytes    ? o.bytes
                         : table_->mixing == TextMixing::kTokens ? o.tokens
                                                                 : o.whole;
    if (allowed && (o.strategy.name != std::string("gated") || gate_ != nullptr)) out.push_back(o.strategy);
  }
  return out;
}

Result<double> TextCodes::rate(const FittedCode& code, const Places& texts) const {
  std::vector<double> nats(table_->size.size(), 0.0);
  for (const std::size_t i : texts) {
    CONSORT_TRY(n, code.nats(i));
    nats[i] = n;
  }
  return table_->rate([&](std::size_t i) { return nats[i]; }, texts);
}

// The posterior over members moves the weights from text to text's end; known totals suffice.
FittedCode TextCodes::whole_texts() const {
  return {Value::object({}), [this](std::size_t i) -> Result<double> {
            const auto bytes = static_cast<std::size_t>(table_->size[i]);
            std::vector<TextLikelihood> said;
            for (std::size_t m = 0; m < names_.size(); ++m)
              said.push_back({names_[m], 1, table_->nats[m][i], bytes});
            CONSORT_TRY(mixed, mix_texts(said, bytes));
            return mixed.nll_nats;
          }};
}

FittedCode TextCodes::mixed_bytes(CombinerOptions options, Value parameters) const {
  return {std::move(parameters), [this, options = std::move(options)](std::size_t i) -> Result<double> {
            CONSORT_TRY(code, mix_code(table_->pieces[i].lp, options));
            return code.nats;
          }};
}

// Of a linear pool over the pieces of these texts.
std::vector<double> TextCodes::fitted_weights(const Places& texts) const {
  std::vector<std::vector<double>> all(names_.size());
  for (const std::size_t i : texts)
    for (std::size_t m = 0; m < names_.size(); ++m) {
      const std::vector<double>& lp = table_->pieces[i].lp[m];
      all[m].insert(all[m].end(), lp.begin(), lp.end());
    }
  return fit_linear_weights(all);
}

// The share that codes these texts shortest.
Result<FittedCode> TextCodes::shared_bytes(const Places& texts) const {
  CombinerOptions options;
  double best = kUnknown, share = kByteShares[0];
  for (const double alpha : kByteShares) {
    options.alpha = alpha;
    CONSORT_TRY(bits, rate(mixed_bytes(options, Value()), texts));
    if (!std::isnan(best) && bits >= best) continue;
    best = bits;
    share = alpha;
  }
  options.alpha = share;
  return mixed_bytes(options, Value::object({{"alpha", share}}));
}

Result<FittedCode> TextCodes::dealt_tokens(std::vector<double> weights, const Places& texts) const {
  const auto dealing = [this, weights](double share) {
    return [this, weights, share](std::size_t i) -> Result<double> {
      CONSORT_TRY(dealt, constant_weights(table_->pieces[i], weights));
      CONSORT_TRY(code, deal_code(table_->pieces[i], share, dealt));
      return code.nats;
    };
  };
  double best = kUnknown, share = kTokenShares[0];
  for (const double s : kTokenShares) {
    CONSORT_TRY(bits, rate({Value(), dealing(s)}, texts));
    if (!std::isnan(best) && bits >= best) continue;
    best = bits;
    share = s;
  }
  Value parameters = Value::object({{"share", share}});
  if (!weights.empty()) parameters = parameters.with("weights", named_numbers(names_, weights));
  return FittedCode{std::move(parameters), dealing(share)};
}

Result<FittedCode> TextCodes::gated(const Places& texts) const {
  CONSORT_TRY(fit, gate_->fit(texts, group_, seed_, kTokenShares));
  Value parameters = gate_->parameters(fit, names_, texts);
  return FittedCode{std::move(parameters),
                    [gate = gate_, fit = std::move(fit)](std::size_t i) { return gate->nats(fit, i); }};
}

Result<FittedCode> TextCodes::fitted(const std::string& name, const Places& texts) const {
  if (name == "bayes") return whole_texts();
  if (name == "gated") return gated(texts);
  if (name == "fixedShare fitted") return dealt_tokens(fitted_weights(texts), texts);
  if (name == "fixedShare")
    return table_->mixing == TextMixing::kBytes ? shared_bytes(texts) : dealt_tokens({}, texts);
  CombinerOptions options;
  options.rule = CombineRule::kLinear;
  if (name == "linearPool") return mixed_bytes(options, Value::object({}));
  options.weights = fitted_weights(texts);
  Value weights = named_numbers(names_, options.weights);
  return mixed_bytes(std::move(options), Value::object({{"weights", std::move(weights)}}));
}

Result<double> TextCodes::cross_fitted(const std::string& name) const {
  if (folds_.empty() || !offer_of(name)->learns) {
    CONSORT_TRY(code, fitted(name, splits_->fit));
    return rate(code, splits_->fit);
  }
  double bits = 0, bytes = 0;
  for (int fold = 0; fold < kFolds; ++fold) {
    Places in, out;
    for (std::size_t i = 0; i < folds_.size(); ++i) (folds_[i] == fold ? out : in).push_back(splits_->fit[i]);
    CONSORT_TRY(code, fitted(name, in));
    CONSORT_TRY(part, rate(code, out));
    double size = 0;
    for (const std::size_t i : out) size += table_->size[i];
    bits += part * size;
    bytes += size;
  }
  return bits / bytes;
}

std::vector<std::string> all_text_strategies() {
  std::vector<std::string> names;
  for (const Offer& o : kOffers) names.emplace_back(o.strategy.name);
  return names;
}

}  // namespace consort
