#include "agents/evaluation/analysis/text_contest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "agents/ensemble/mixture.h"
#include "agents/evaluation/analysis/splits.h"
#include "scheduler/decode/byte_combiner.h"

namespace consort {
namespace {

using Places = std::vector<std::size_t>;  // of texts in the task

constexpr double kNatsPerPlainByte =
    5.545177444479562;  // ln 256: what a byte costs that a member does not score
constexpr double kShares[] = {0.0005, 0.002, 0.005, 0.01, 0.02, 0.05};
constexpr double kTrajectoryShare = 0.005;
constexpr std::size_t kMostTrajectory = 20000;  // bytes
constexpr double kSlack = 1e-6;                 // nats, of sums of floats

// A strategy's parameters after looking at some texts, and the code length that it gives a text.
struct FittedCode {
  Value parameters;
  std::function<Result<double>(std::size_t text)> nats;
};

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
    CONSORT_TRY(folds, folds_of(splits_, r_.seed));
    folds_ = std::move(folds);
    for (std::size_t m = 0; m < r_.members.size(); ++m) {
      names_.push_back(r_.members[m].name);
      FittedCode code{Value::object({}), [this, m](std::size_t i) -> Result<double> { return nats_[m][i]; }};
      CONSORT_CHECK_OK(enter(names_.back(), Role::kMember,
                             bytes_ ? "probabilities of bytes, a thousandth of the mass pruned at most"
                                    : "probability of the whole text",
                             {m}, code, rate(code, splits_.fit)));
    }
    best_ = best_place(scores_);
    if (best_ == scores_.size())
      return fail(ErrorKind::kInvalid, "no text is for fitting", task_.name,
                  "give some items the split 'fit'");
    set_best_member(contest_, best_);
    CONSORT_CHECK_OK(add_strategies());
    choose(contest_, scores_, "bitsPerByte", !folds_.empty());
    contest_.notes.push_back("no control of the same compute: " + r_.no_control);
    CONSORT_CHECK_OK(add_subsets());
    CONSORT_CHECK_OK(add_trajectory());
    add_oracle();
    return std::move(contest_);
  }

 private:
  // Bytes that a member does not score are uniform over 256, so that all code the same text.
  Status read() {
    const Places all = places();
    size_.assign(task_.items.size(), 0.0);
    bytes_ = true;
    for (const MemberTable& m : r_.members)
      for (const std::size_t i : all) bytes_ = bytes_ && !m.rows[i]->byte_logprobs.empty();
    for (const MemberTable& m : r_.members) {
      nats_.emplace_back(task_.items.size(), kUnknown);
      logs_.emplace_back(task_.items.size());
      for (const std::size_t i : all) CONSORT_CHECK_OK(read_row(m, i));
    }
    if (!bytes_)
      contest_.notes.push_back("a member has no probabilities of bytes: only whole texts can be mixed");
    return {};
  }

  Places places() const {
    Places all = splits_.fit;
    all.insert(all.end(), splits_.test.begin(), splits_.test.end());
    return all;
  }

  Status read_row(const MemberTable& member, std::size_t i) {
    const PredictionRow& row = *member.rows[i];
    const std::string where = member.name + ", item " + task_.items[i].id;
    const auto length = static_cast<double>(bytes_ ? static_cast<std::int64_t>(row.byte_logprobs.size())
                                            : row.bytes.empty() ? 0
                                                                : row.bytes.back());
    if (length <= 0 || (size_[i] > 0 && size_[i] != length))
      return fail(ErrorKind::kInvalid, "members have scored texts of different lengths", where);
    size_[i] = length;
    if (!bytes_) {
      nats_.back()[i] =
          -row.scores.at(0) + kNatsPerPlainByte * (length - static_cast<double>(row.bytes.at(0)));
      return {};
    }
    std::vector<double>& logs = logs_.back()[i];
    double sum = 0;
    for (const float v : row.byte_logprobs) {
      logs.push_back(std::isnan(v) ? -kNatsPerPlainByte : static_cast<double>(v));
      sum -= logs.back();
    }
    if (!std::isfinite(sum)) return fail(ErrorKind::kInvalid, "a byte got probability 0", where);
    nats_.back()[i] = sum;
    return {};
  }

  double rate(const FittedCode& code, const Places& texts) const {
    double nats = 0, bytes = 0;
    for (const std::size_t i : texts) {
      const auto n = code.nats(i);
      nats += n ? *n : kUnknown;
      bytes += size_[i];
    }
    return bytes > 0 ? nats / std::log(2.0) / bytes : kUnknown;
  }

  Status enter(std::string name, Role role, std::string how, const Places& members, const FittedCode& code,
               double fit_score) {
    Contestant c =
        contestant_of(r_, splits_, std::move(name), role, std::move(how), members, code.parameters);
    c.entry.fit_score = fit_score;
    ItemMeasure& bits = c.items["bitsPerByte"];
    for (const std::size_t i : splits_.test) {
      CONSORT_TRY(nats, code.nats(i));
      bits.sums.push_back(nats / std::log(2.0));
      bits.weights.push_back(size_[i]);
    }
    scores_.push_back(-fit_score);
    contest_.contestants.push_back(std::move(c));
    return {};
  }

  std::vector<std::vector<double>> logs_of(std::size_t text) const {
    std::vector<std::vector<double>> out;
    for (const auto& member : logs_) out.push_back(member[text]);
    return out;
  }

  FittedCode mixing(CombinerOptions options, Value parameters) const {
    return {std::move(parameters), [this, options = std::move(options)](std::size_t i) -> Result<double> {
              CONSORT_TRY(code, mix_code(logs_of(i), options));
              return code.nats;
            }};
  }

  // The posterior over members moves the weights from text to text's end; known totals suffice.
  FittedCode whole_texts() const {
    return {Value::object({}), [this](std::size_t i) -> Result<double> {
              std::vector<TextLikelihood> said;
              for (std::size_t m = 0; m < names_.size(); ++m)
                said.push_back({names_[m], 1, nats_[m][i], static_cast<std::size_t>(size_[i])});
              CONSORT_TRY(mixed, mix_texts(said, static_cast<std::size_t>(size_[i])));
              return mixed.nll_nats;
            }};
  }

  Result<FittedCode> fitted(const std::string& name, const Places& texts) const {
    if (name == "bayes") return whole_texts();
    CombinerOptions options;
    options.rule = CombineRule::kLinear;
    if (name == "linearPool") return mixing(options, Value::object({}));
    if (name == "linearPool fitted") {
      std::vector<std::vector<double>> all(names_.size());
      for (const std::size_t i : texts)
        for (std::size_t m = 0; m < names_.size(); ++m)
          all[m].insert(all[m].end(), logs_[m][i].begin(), logs_[m][i].end());
      options.weights = fit_linear_weights(all);
      Value weights = named_numbers(names_, options.weights);
      return mixing(std::move(options), Value::object({{"weights", std::move(weights)}}));
    }
    options.rule = CombineRule::kBayes;  // fixedShare: the share that codes those texts shortest
    double best = kUnknown, share = kShares[0];
    for (const double alpha : kShares) {
      options.alpha = alpha;
      const double bits = rate(mixing(options, Value()), texts);
      if (!std::isnan(best) && bits >= best) continue;
      best = bits;
      share = alpha;
    }
    options.alpha = share;
    return mixing(options, Value::object({{"alpha", share}}));
  }

  Result<double> cross_fitted(const std::string& name) const {
    if (folds_.empty() || name == "bayes" || name == "linearPool") {
      CONSORT_TRY(code, fitted(name, splits_.fit));
      return rate(code, splits_.fit);
    }
    double bits = 0, bytes = 0;
    for (int fold = 0; fold < kFolds; ++fold) {
      Places in, out;
      for (std::size_t i = 0; i < folds_.size(); ++i)
        (folds_[i] == fold ? out : in).push_back(splits_.fit[i]);
      CONSORT_TRY(code, fitted(name, in));
      double size = 0;
      for (const std::size_t i : out) size += size_[i];
      bits += rate(code, out) * size;
      bytes += size;
    }
    return bits / bytes;
  }

  Status add_strategies() {
    constexpr std::pair<const char*, const char*> kHow[] = {
        {"bayes",
         "Bayesian mixture over each whole text, equal priors: at most log2 M bits above the best member"},
        {"linearPool", "mean of the members' probabilities of every byte"},
        {"linearPool fitted", "weighted mean of the members' probabilities of every byte, weights by EM"},
        {"fixedShare",
         "Bayesian weights byte by byte that forget: a share alpha, fitted, is dealt out anew"}};
    if (names_.size() < 2) {
      contest_.notes.push_back("one member: there is nothing to combine");
      return {};
    }
    Places everybody;
    for (std::size_t m = 0; m < names_.size(); ++m) everybody.push_back(m);
    for (const auto& [name, how] : kHow) {
      if (!wanted(r_, name) || (!bytes_ && std::string(name) != "bayes")) continue;
      CONSORT_TRY(code, fitted(name, splits_.fit));
      CONSORT_TRY(score, cross_fitted(name));
      CONSORT_CHECK_OK(enter(name, Role::kStrategy, how, everybody, code, score));
      if (std::string(name) == "bayes") check_bound(contest_.contestants.back());
    }
    return {};
  }

  // The mixture's guarantee, asserted on what was measured.
  void check_bound(const Contestant& mixture) {
    std::size_t held = 0;
    for (std::size_t k = 0; k < splits_.test.size(); ++k) {
      double best = kUnknown;
      for (const auto& member : nats_) best = std::fmin(best, member[splits_.test[k]]);
      const double bound =
          best + std::log(static_cast<double>(names_.size())) + kSlack * size_[splits_.test[k]];
      if (mixture.items.at("bitsPerByte").sums[k] * std::log(2.0) <= bound) ++held;
    }
    contest_.notes.push_back(
        fmt::format("bayes keeps its bound (best member + log2 {} bits) on {} of {} test texts",
                    names_.size(), held, splits_.test.size()));
  }

  Status add_subsets() {
    if (!bytes_) return {};
    for (const auto& set : subsets_of(names_.size(), kMostSubsets)) {
      SubsetQuality quality;
      CombinerOptions options;
      options.rule = CombineRule::kLinear;
      options.weights.assign(names_.size(), 0.0);
      for (const std::size_t m : set) {
        options.weights[m] = 1;
        quality.members.push_back(names_[m]);
      }
      quality.value = rate(mixing(std::move(options), Value()), splits_.test);
      contest_.subsets.push_back(std::move(quality));
    }
    return {};
  }

  Status add_trajectory() {
    if (!bytes_ || names_.size() < 2 || splits_.test.empty()) return {};
    const std::size_t longest =
        *std::max_element(splits_.test.begin(), splits_.test.end(),
                          [&](std::size_t a, std::size_t b) { return size_[a] < size_[b]; });
    std::vector<std::vector<double>> logs = logs_of(longest);
    for (auto& member : logs) member.resize(std::min(member.size(), kMostTrajectory));
    CombinerOptions options;
    options.alpha = kTrajectoryShare;
    CONSORT_TRY(mixed, mix_code(logs, options));
    contest_.trajectory = {
        fmt::format("Weights of a Bayesian mixture (fixed share {}) along the test text '{}': each "
                    "byte is coded with the weights that the bytes before it give.",
                    kTrajectoryShare, task_.items[longest].id),
        "bytes read", names_, std::move(mixed.weights)};
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
  std::vector<int> folds_;
  std::vector<std::string> names_;
  std::vector<double> size_;                            // [text] bytes
  std::vector<std::vector<double>> nats_;               // [member][text]
  std::vector<std::vector<std::vector<double>>> logs_;  // [member][text][byte]
  bool bytes_ = false;                                  // all members have them
  std::vector<double> scores_;                          // minus bits a byte on the fit split, of all so far
  std::size_t best_ = 0;
};

}  // namespace

Result<Contest> text_contest(const AnalysisRequest& request) {
  return TextContest(request).run();
}

std::vector<std::string> text_strategy_names() {
  return {"bayes", "linearPool", "linearPool fitted", "fixedShare"};
}

}  // namespace consort
