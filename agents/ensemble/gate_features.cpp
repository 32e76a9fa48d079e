#include "agents/ensemble/gate_features.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace consort {
namespace {

constexpr double kRecordShare = 0.02;
constexpr double kLeastFirst = 1e-6;  // the likeliest of a vocabulary's tokens has more

// Of one member before one piece.
struct Shown {
  double entropy = 1, first = 0.5, second = 0.1;  // where nothing stands before: neither sure nor lost
  std::int64_t guess = -1;
};

Shown shown_by(const TokenDoubt& doubt, std::size_t token) {
  if (!(doubt.entropies[token] >= 0)) return {};
  return {doubt.entropies[token], doubt.firsts[token], doubt.seconds[token], doubt.guesses[token]};
}

void add_doubt(std::vector<double>& row, const std::vector<Shown>& shown) {
  const auto others = static_cast<double>(shown.size() - 1);
  double mean = 0;
  for (const Shown& s : shown) mean += s.first / static_cast<double>(shown.size());
  for (const Shown& s : shown) row.push_back(s.entropy);
  for (const Shown& s : shown) row.push_back(std::log(std::max(s.first, kLeastFirst)));
  for (const Shown& s : shown) row.push_back(s.first - s.second);
  std::vector<double> agree;
  for (const Shown& s : shown) {
    const auto same = std::count_if(shown.begin(), shown.end(), [&](const Shown& other) {
      return s.guess >= 0 && other.guess == s.guess;
    });
    agree.push_back(same > 0 ? static_cast<double>(same - 1) / others : 0);
  }
  row.insert(row.end(), agree.begin(), agree.end());
  for (std::size_t m = 0; m < shown.size(); ++m) row.push_back(agree[m] * (shown[m].first - mean));
}

Status check(const CodeTable& table, const std::vector<TokenDoubt>& doubts) {
  if (table.first_tokens.size() != table.lp.size() || doubts.size() != table.lp.size())
    return fail(ErrorKind::kInvalid,
                "doubt is about tokens: a table of chunks and every member's are needed");
  for (std::size_t m = 0; m < doubts.size(); ++m) {
    const TokenDoubt& d = doubts[m];
    for (const std::size_t size : {d.entropies.size(), d.firsts.size(), d.seconds.size(), d.guesses.size()})
      if (size != table.tokens[m])
        return fail(ErrorKind::kInvalid, "a member's doubt is about another number of tokens");
  }
  return {};
}

}  // namespace

std::string_view gate_view_name(GateView view) {
  return view == GateView::kRecord ? "record" : view == GateView::kDoubt ? "doubt" : "record and doubt";
}

std::vector<std::string> gate_feature_names(GateView view, const std::vector<std::string>& members) {
  std::vector<std::string> names;
  const auto add = [&](const char* what) {
    for (const std::string& member : members) names.push_back(std::string(what) + " of " + member);
  };
  if (view != GateView::kDoubt) add("record");
  if (view == GateView::kRecord) return names;
  for (const char* what : {"entropy", "ln first", "margin", "agreement", "agreement x first"}) add(what);
  return names;
}

Result<fitting::Matrix> gate_features(const CodeTable& table, const std::vector<TokenDoubt>& doubts,
                                      GateView view) {
  const std::size_t members = table.lp.size();
  if (members < 2) return fail(ErrorKind::kInvalid, "a gate needs at least two members");
  if (view != GateView::kRecord) CONSORT_CHECK_OK(check(table, doubts));
  CombinerOptions options;
  options.alpha = kRecordShare;
  CONSORT_TRY(record, mix_code(table.lp, options));
  fitting::Matrix out;
  out.columns = members * ((view != GateView::kDoubt ? 1 : 0) + (view != GateView::kRecord ? 5 : 0));
  for (std::size_t t = 0; t < table.ends.size(); ++t) {
    std::vector<double> row;
    if (view != GateView::kDoubt) {
      double mean = 0;
      for (const double w : record.weights[t]) mean += std::log(w) / static_cast<double>(members);
      for (const double w : record.weights[t]) row.push_back(std::log(w) - mean);
    }
    if (view != GateView::kRecord) {
      std::vector<Shown> shown;
      for (std::size_t m = 0; m < members; ++m)
        shown.push_back(shown_by(doubts[m], table.first_tokens[m][t]));
      add_doubt(row, shown);
    }
    out.values.insert(out.values.end(), row.begin(), row.end());
  }
  return out;
}

}  // namespace consort
