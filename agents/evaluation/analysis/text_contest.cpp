#include "agents/evaluation/analysis/text_contest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "agents/ensemble/dealt_code.h"
#include "agents/evaluation/analysis/splits.h"
#include "agents/evaluation/analysis/text_codes.h"
#include "agents/evaluation/analysis/text_table.h"

namespace consort {
namespace {

constexpr double kTrajectoryShare = 0.005, kTokenTrajectoryShare = 0.05;
constexpr std::size_t kMostTrajectory = 20000;  // pieces
constexpr double kSlack = 1e-6;                 // nats a byte, of sums of floats

class TextContest {
 public:
  explicit TextContest(const AnalysisRequest& request)
      : r_(request),
        task_(*request.task),
        splits_(splits_of(task_)),
        contest_(empty_contest(task_, splits_)) {}

  Result<Contest> run() {
    CONSORT_CHECK_OK(read());
    contest_.measures = {{"bitsPerByte", false, false, "code length, bits a byte of UTF-8"}};
    contest_.tested = {"bitsPerByte"};
    contest_.nobody = 8;
    for (std::size_t m = 0; m < names_.size(); ++m) CONSORT_CHECK_OK(add_member(m));
    best_ = best_place(scores_);
    if (best_ == scores_.size())
      return fail(ErrorKind::kInvalid, "no text is for fitting", task_.name,
                  "give some items the split 'fit'");
    set_best_member(contest_, best_);
    CONSORT_CHECK_OK(add_strategies());
    choose(contest_, scores_, "bitsPerByte", !folds_.empty());
    CONSORT_CHECK_OK(add_control());
    CONSORT_CHECK_OK(add_subsets());
    CONSORT_CHECK_OK(add_trajectory());
    add_oracle();
    return std::move(contest_);
  }

 private:
  Status read() {
    for (const MemberTable& m : r_.members) names_.push_back(m.name);
    CONSORT_TRY(table, text_table(task_, splits_, r_.members));
    table_ = std::move(table);
    CONSORT_TRY(folds, folds_of(splits_, r_.seed));
    folds_ = std::move(folds);
    CONSORT_TRY(codes, TextCodes::create(table_, splits_, names_, folds_, r_.seed));
    codes_.emplace(std::move(codes));
    if (table_.mixing == TextMixing::kWhole)
      contest_.notes.push_back(
          "a member has no probabilities of bytes or tokens: only whole texts can be mixed");
    if (names_.size() >= 2 && !table_.doubt)
      contest_.notes.push_back(
          "no gate: it looks at what every member expected before its tokens ('pieces': 'tokens' in the "
          "task's header records that)");
    return {};
  }

  FittedCode alone(const TextTable& table, std::size_t m) const {
    return {Value::object({}), [&table, m](std::size_t i) -> Result<double> { return table.nats[m][i]; }};
  }

  Status add_member(std::size_t m) {
    const char* how = table_.mixing == TextMixing::kBytes
                          ? "probabilities of bytes, a thousandth of the mass pruned at most"
                      : table_.mixing == TextMixing::kTokens ? "probabilities of the text's own tokens"
                                                             : "probability of the whole text";
    const FittedCode code = alone(table_, m);
    Contestant c = contestant_of(r_, splits_, names_[m], Role::kMember, how, {m}, code.parameters);
    CONSORT_TRY(score, codes_->rate(code, splits_.fit));
    scores_.push_back(-score);
    return enter(std::move(c), table_, code, score);
  }

  Status enter(Contestant c, const TextTable& table, const FittedCode& code, double fit_score) {
    c.entry.fit_score = fit_score;
    ItemMeasure& bits = c.items["bitsPerByte"];
    for (const std::size_t i : splits_.test) {
      CONSORT_TRY(nats, code.nats(i));
      bits.sums.push_back(nats / std::log(2.0));
      bits.weights.push_back(table.size[i]);
    }
    contest_.contestants.push_back(std::move(c));
    return {};
  }

  Status add_strategies() {
    if (names_.size() < 2) {
      contest_.notes.push_back("one member: there is nothing to combine");
      return {};
    }
    Places everybody(names_.size());
    std::iota(everybody.begin(), everybody.end(), 0);
    for (const auto& [name, how] : codes_->strategies()) {
      if (!wanted(r_, name)) continue;
      CONSORT_TRY(code, codes_->fitted(name, splits_.fit));
      CONSORT_TRY(score, codes_->cross_fitted(name));
      Contestant c = contestant_of(r_, splits_, name, Role::kStrategy, how, everybody, code.parameters);
      scores_.push_back(-score);
      CONSORT_CHECK_OK(enter(std::move(c), table_, code, score));
      if (std::string(name) == "bayes") check_bound(contest_.contestants.back());
    }
    return {};
  }

  // The mixture's guarantee, asserted on what was measured.
  void check_bound(const Contestant& mixture) {
    std::size_t held = 0;
    for (std::size_t k = 0; k < splits_.test.size(); ++k) {
      const std::size_t text = splits_.test[k];
      double best = kUnknown;
      for (const auto& member : table_.nats) best = std::fmin(best, member[text]);
      const double bound = best + std::log(static_cast<double>(names_.size())) + kSlack * table_.size[text];
      if (mixture.items.at("bitsPerByte").sums[k] * std::log(2.0) <= bound) ++held;
    }
    contest_.notes.push_back(
        fmt::format("bayes keeps its bound (best member + log2 {} bits) on {} of {} test texts",
                    names_.size(), held, splits_.test.size()));
  }

  // The best member behind other lead-ins, as often as the ensemble's compute pays for, mixed in the same
  // ways; the rival is the way that is best on the fit split.
  Status add_control() {
    if (r_.control.size() < 2) {
      contest_.notes.push_back("no control of the same compute: " + r_.no_control);
      return {};
    }
    CONSORT_TRY(table, text_table(task_, splits_, r_.control));
    std::vector<std::string> names;
    for (const MemberTable& t : r_.control) names.push_back(t.name);
    CONSORT_TRY(codes, TextCodes::create(table, splits_, std::move(names), folds_, r_.seed));
    std::vector<double> scores;
    const std::size_t first = contest_.contestants.size();
    for (const auto& [name, how] : codes.strategies()) {
      CONSORT_TRY(code, codes.fitted(name, splits_.fit));
      CONSORT_TRY(score, codes.cross_fitted(name));
      Contestant c = wordings_of(r_, splits_, names_[best_], fmt::format("its lead-ins mixed: {}", how));
      c.entry.name += fmt::format(", {}", name);
      c.entry.parameters = code.parameters;
      scores.push_back(-score);
      CONSORT_CHECK_OK(enter(std::move(c), table, code, score));
    }
    if (const std::size_t best = best_place(scores); best < scores.size())
      set_control(contest_, first + best);
    return {};
  }

  // Of the members together by the plain way that the table allows: equal weights, the fitted share.
  Status add_subsets() {
    if (table_.mixing == TextMixing::kWhole) return {};
    const char* way = table_.mixing == TextMixing::kBytes ? "linearPool" : "fixedShare";
    for (const auto& set : subsets_of(names_.size(), kMostSubsets)) {
      SubsetQuality quality;
      std::vector<MemberTable> members;
      for (const std::size_t m : set) {
        quality.members.push_back(names_[m]);
        members.push_back(r_.members[m]);
      }
      CONSORT_TRY(table, text_table(task_, splits_, members));
      CONSORT_TRY(codes, TextCodes::create(table, splits_, quality.members, {}, r_.seed));
      FittedCode code = alone(table, 0);
      if (set.size() > 1) {
        CONSORT_TRY(fitted, codes.fitted(way, splits_.fit));
        code = std::move(fitted);
      }
      CONSORT_TRY(value, codes.rate(code, splits_.test));
      quality.value = value;
      contest_.subsets.push_back(std::move(quality));
    }
    return {};
  }

  Status add_trajectory() {
    if (table_.mixing == TextMixing::kWhole || names_.size() < 2 || splits_.test.empty()) return {};
    const bool bytes = table_.mixing == TextMixing::kBytes;
    const std::size_t longest =
        *std::max_element(splits_.test.begin(), splits_.test.end(),
                          [&](std::size_t a, std::size_t b) { return table_.size[a] < table_.size[b]; });
    const CodeTable& pieces = table_.pieces[longest];
    const double share = bytes ? kTrajectoryShare : kTokenTrajectoryShare;
    CONSORT_TRY(equal, constant_weights(pieces, {}));
    CONSORT_TRY(mixed, deal_code(pieces, share, equal));
    mixed.weights.resize(std::min(mixed.weights.size(), kMostTrajectory));
    contest_.trajectory = {
        fmt::format("Weights of a Bayesian mixture (fixed share {}) along the test text '{}': each "
                    "{} is coded with the weights that what stands before gives.",
                    share, task_.items[longest].id, bytes ? "byte" : "piece between tokens"),
        bytes ? "bytes read" : "pieces read", names_, std::move(mixed.weights)};
    return {};
  }

  void add_oracle() {
    Contestant c = oracle_of(
        r_, splits_,
        "the member that is best on the text, known afterwards: a bound for choosing, not for mixing");
    c.items["bitsPerByte"] = contest_.contestants.front().items.at("bitsPerByte");
    for (std::size_t m = 1; m < names_.size(); ++m)
      for (std::size_t k = 0; k < contest_.size(); ++k) {
        double& bits = c.items["bitsPerByte"].sums[k];
        bits = std::min(bits, contest_.contestants[m].items.at("bitsPerByte").sums[k]);
      }
    contest_.contestants.push_back(std::move(c));
  }

  const AnalysisRequest& r_;
  const Task& task_;
  const Splits splits_;
  Contest contest_;
  std::vector<std::string> names_;
  TextTable table_;
  std::vector<int> folds_;
  std::optional<TextCodes> codes_;
  std::vector<double> scores_;  // minus bits a byte on the fit split, of members and strategies
  std::size_t best_ = 0;
};

}  // namespace

Result<Contest> text_contest(const AnalysisRequest& request) {
  return TextContest(request).run();
}

std::vector<std::string> text_strategy_names() {
  return all_text_strategies();
}

}  // namespace consort
