// What members show before each piece of a text, as rows for a gate (fitting/gate.h). Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agents/ensemble/code_mixture.h"
#include "agents/ensemble/fitting/matrix.h"

namespace consort {

// What one member expected before each of its tokens (ScoreBytesResult with `doubt`). Where nothing stands
// before, entropies are NaN or negative and the rest is not looked at.
struct TokenDoubt {
  std::vector<double> entropies;      // nats
  std::vector<double> firsts;         // probability of the likeliest token
  std::vector<double> seconds;        // of the next one
  std::vector<std::int64_t> guesses;  // first byte of the likeliest token; -1: a control token
};

// record: ln of the weights that a fixed share gives by the pieces so far, less their mean.
// doubt: entropy; ln first; first - second; the share of the other members that guess the same byte; that
// times (first - mean of the members' firsts).
enum class GateView { kRecord, kDoubt, kBoth };
std::string_view gate_view_name(GateView view);  // "record", "doubt", "record and doubt"
inline constexpr GateView kGateViews[] = {GateView::kRecord, GateView::kDoubt, GateView::kBoth};

// Which columns: "entropy of NAME", ..., one a member of each figure, so that permuting the members permutes
// the columns.
std::vector<std::string> gate_feature_names(GateView view, const std::vector<std::string>& members);

// [pieces, features], of a table of chunks. Row t depends on what stands before piece t alone: on the pieces
// before it, and on the distributions of the tokens that begin it. doubts: one a member, not looked at for
// kRecord. Errors: kInvalid for fewer than two members, a table of bytes with doubt, doubt about another
// number of tokens.
Result<fitting::Matrix> gate_features(const CodeTable& table, const std::vector<TokenDoubt>& doubts,
                                      GateView view);

}  // namespace consort
