// Strategies over texts: what each fits on some texts, and the code lengths that it gives. Private to this
// room.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/evaluation/analysis/text_gate.h"
#include "agents/evaluation/analysis/text_table.h"

namespace consort {

// A strategy's parameters after looking at some texts, and the code length that it gives a text.
struct FittedCode {
  Value parameters;
  std::function<Result<double>(std::size_t text)> nats;
};

struct TextStrategy {
  const char* name;
  const char* how;
};

// Of one list of members: the ensemble, or one member under several lead-ins. `table` and `splits` are held.
class TextCodes {
 public:
  static Result<TextCodes> create(const TextTable& table, const Splits& splits,
                                  std::vector<std::string> names, std::vector<int> folds, std::uint64_t seed);

  // Those that this table allows, in the table's order; none for one member.
  std::vector<TextStrategy> strategies() const;
  // `name`: one of those.
  Result<FittedCode> fitted(const std::string& name, const Places& texts) const;
  // Bits a byte on the fit split by strategies that have not seen the text; without folds on what they saw.
  Result<double> cross_fitted(const std::string& name) const;
  Result<double> rate(const FittedCode& code, const Places& texts) const;

 private:
  TextCodes(const TextTable& table, const Splits& splits, std::vector<std::string> names,
            std::vector<int> folds, std::uint64_t seed);
  FittedCode whole_texts() const;
  FittedCode mixed_bytes(CombinerOptions options, Value parameters) const;
  Result<FittedCode> shared_bytes(const Places& texts) const;
  Result<FittedCode> dealt_tokens(std::vector<double> weights, const Places& texts) const;
  Result<FittedCode> gated(const Places& texts) const;
  std::vector<double> fitted_weights(const Places& texts) const;

  const TextTable* table_;
  const Splits* splits_;
  std::vector<std::string> names_;
  std::vector<int> folds_;           // of the fit split; empty: too few groups
  std::vector<std::int32_t> group_;  // [text], of the fit split; -1 for others
  std::uint64_t seed_;
  std::shared_ptr<const TextGate> gate_;  // where doubt was recorded
};

// Of all kinds of tables.
std::vector<std::string> all_text_strategies();

}  // namespace consort
