// What members recorded about the texts of a task, ready to be mixed. Private to this room.
#pragma once

#include <vector>

#include "agents/ensemble/code_mixture.h"
#include "agents/ensemble/gate_features.h"
#include "agents/evaluation/analysis/splits.h"

namespace consort {

using Places = std::vector<std::size_t>;  // of texts in the task

// By what the members can be mixed: every byte where all gave those, pieces between the ends of tokens where
// all gave their tokens, else only whole texts.
enum class TextMixing { kWhole, kBytes, kTokens };

struct TextTable {
  TextMixing mixing = TextMixing::kWhole;
  bool doubt = false;                           // tokens: all rows say what was expected before each
  std::vector<double> size;                     // [text] bytes
  std::vector<std::vector<double>> nats;        // [member][text]: code length; NaN for texts of neither split
  std::vector<CodeTable> pieces;                // [text]; empty for whole texts
  std::vector<std::vector<TokenDoubt>> doubts;  // [text][member]; empty without

  std::size_t members() const { return nats.size(); }
  // Code length of texts over their bytes, in bits; NaN without bytes.
  template <typename Nats>
  double rate(const Nats& nats_of, const Places& texts) const;
};

// Of the fit and test split. Bytes that a member does not score are uniform over 256, so that all code the
// same text. Errors: kInvalid with member and item for lengths that differ, lists that do not fit the text, a
// byte or token of probability 0.
Result<TextTable> text_table(const Task& task, const Splits& splits, const std::vector<MemberTable>& members);

// Minus bits a byte on the fit split, one a member: what the best member is chosen by. Empty where the rows
// cannot be compared.
std::vector<double> text_fit_scores(const AnalysisRequest& request);

template <typename Nats>
double TextTable::rate(const Nats& nats_of, const Places& texts) const {
  constexpr double kLog2 = 0.693147180559945309417;
  double sum = 0, bytes = 0;
  for (const std::size_t i : texts) {
    sum += nats_of(i);
    bytes += size[i];
  }
  return bytes > 0 ? sum / kLog2 / bytes : kUnknown;
}

}  // namespace consort
