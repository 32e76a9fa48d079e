#include "agents/evaluation/analysis/class_contest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "agents/ensemble/fitting/pool_weights.h"
#include "agents/evaluation/analysis/class_calibrators.h"
#include "agents/evaluation/analysis/class_measures.h"
#include "agents/evaluation/analysis/class_sets.h"
#include "agents/evaluation/analysis/class_table.h"
#include "agents/evaluation/analysis/splits.h"
#include "agents/evaluation/measures/classification.h"
#include "scheduler/decode/byte_combiner.h"

namespace consort {
namespace {

constexpr std::size_t kLeastFit = 5;
constexpr double kTrajectoryShare = 0.005;  // fixed share of the weights' figure
constexpr double kMostProbeWork = 4e9;      // multiplications that a probe as a control may cost

// How a contestant does on fit items that it was not fitted on.
struct CrossScore {
  double accuracy = kUnknown, nll = kUnknown, brier = kUnknown;
};

class ClassContest {
 public:
  explicit ClassContest(const AnalysisRequest& request)
      : r_(request),
        task_(*request.task),
        splits_(splits_of(task_)),
        contest_(empty_contest(task_, splits_)) {}

  Result<Contest> run() {
    if (splits_.fit.size() < kLeastFit)
      return fail(ErrorKind::kInvalid, fmt::format("only {} items are for fitting", splits_.fit.size()),
                  task_.name, "give at least 5 items the split 'fit', or none any split");
    CONSORT_TRY(folds, folds_of(splits_, r_.seed));
    folds_ = std::move(folds);
    fit_ = class_split(task_, r_.members, splits_.fit);
    test_ = class_split(task_, r_.members, splits_.test);
    contest_.gold.assign(test_.truth.begin(), test_.truth.end());
    for (const MemberTable& m : r_.members) names_.push_back(m.name);
    add_class_measures(contest_, task_);
    contest_.nobody = contest_.groups.contains("auroc") ? 0.5 : 1 / static_cast<double>(class_count(task_));
    CONSORT_CHECK_OK(add_members());
    CONSORT_CHECK_OK(add_strategies());
    CONSORT_CHECK_OK(add_concatenation());
    choose_best_members();
    CONSORT_CHECK_OK(add_control());
    choose();
    CONSORT_CHECK_OK(add_subsets());
    CONSORT_CHECK_OK(add_sets());
    CONSORT_CHECK_OK(add_calibrators());
    CONSORT_CHECK_OK(add_trajectory());
    add_oracle();
    return std::move(contest_);
  }

 private:
  // Fits on the fit split, applies to the test split; `cross` gets the cross-fitted scores.
  Result<Contestant*> enter(std::string name, Role role, const ClassStrategy& strategy, const ClassSplit& fit,
                            const ClassSplit& test, const std::vector<const MemberTable*>& members) {
    const std::vector<ClassView> fit_views = fit.views(), test_views = test.views();
    CONSORT_TRY(fitted, strategy.fit(fit_views, fit.truth));
    CONSORT_TRY(said, fitted.apply(test_views));
    Contestant c;
    c.entry.name = std::move(name);
    c.entry.role = role;
    c.entry.how = strategy.how;
    c.entry.parameters = std::move(fitted.parameters);
    std::vector<const MemberTable*> asked;
    for (const std::size_t m : fitted.parts) {
      asked.push_back(members[m]);
      c.parts.push_back(members[m]->name);
    }
    add_cost_of(c.entry, asked, fitted.always, said);
    CONSORT_CHECK_OK(fill_items(c, said));
    CONSORT_TRY(score, cross_fit(strategy, fit));
    c.entry.fit_score = score.accuracy;
    cross_.push_back(score);
    contest_.contestants.push_back(std::move(c));
    return &contest_.contestants.back();
  }

  // A cascade pays for the others only where it asks them.
  void add_cost_of(TableEntry& entry, const std::vector<const MemberTable*>& asked, std::size_t always,
                   const ClassSaid& said) const {
    if (said.alone.empty()) return add_cost(entry, asked, splits_);
    Splits rest = splits_;
    rest.test.clear();
    for (std::size_t i = 0; i < said.alone.size(); ++i)
      if (said.alone[i] == 0) rest.test.push_back(splits_.test[i]);
    const auto first_others = asked.begin() + static_cast<std::ptrdiff_t>(always);
    add_cost(entry, {asked.begin(), first_others}, splits_);
    if (rest.test.empty()) return;
    TableEntry others;
    add_cost(others, {first_others, asked.end()}, rest);
    const double share = static_cast<double>(rest.test.size()) / static_cast<double>(splits_.test.size());
    entry.flop += share * others.flop;
    entry.tokens += share * others.tokens;
  }

  Status fill_items(Contestant& c, ClassSaid& said) const {
    for (const std::uint8_t mark : measures::marks(said.answer, test_.truth)) c.right.push_back(mark);
    c.items["accuracy"].sums = c.right;
    c.values.assign(said.answer.begin(), said.answer.end());
    c.confidence = std::move(said.confidence);
    if (said.log_p.columns == 0) return {};
    CONSORT_TRY(nll, bounded_nll(said.log_p, test_.truth));
    CONSORT_TRY(brier, measures::brier_by_item(said.log_p, test_.truth));
    c.items["nll"].sums = std::move(nll);
    c.items["brier"].sums = std::move(brier);
    for (std::size_t i = 0; i < said.log_p.rows(); ++i)
      c.log_p.emplace_back(said.log_p.row(i).begin(), said.log_p.row(i).end());
    return {};
  }

  Result<CrossScore> cross_fit(const ClassStrategy& strategy, const ClassSplit& fit) const {
    if (folds_.empty()) return score(strategy, fit, fit);
    CrossScore sum{0, 0, 0};
    for (int fold = 0; fold < kFolds; ++fold) {
      std::vector<std::size_t> in, out;
      for (std::size_t i = 0; i < folds_.size(); ++i) (folds_[i] == fold ? out : in).push_back(i);
      CONSORT_TRY(part, score(strategy, fit.part(in), fit.part(out)));
      const double share = static_cast<double>(out.size()) / static_cast<double>(folds_.size());
      sum.accuracy += share * part.accuracy;
      sum.nll += share * part.nll;
      sum.brier += share * part.brier;
    }
    return sum;
  }

  static Result<CrossScore> score(const ClassStrategy& strategy, const ClassSplit& fit,
                                  const ClassSplit& on) {
    const std::vector<ClassView> fit_views = fit.views(), on_views = on.views();
    CONSORT_TRY(fitted, strategy.fit(fit_views, fit.truth));
    CONSORT_TRY(said, fitted.apply(on_views));
    CrossScore out;
    CONSORT_TRY(accuracy, measures::accuracy(said.answer, on.truth));
    out.accuracy = accuracy;
    if (said.log_p.columns == 0) return out;
    CONSORT_TRY(nll, bounded_nll(said.log_p, on.truth));
    out.nll = 0;
    for (const double v : nll) out.nll += v / static_cast<double>(nll.size());
    CONSORT_TRY(brier, measures::mean_brier(said.log_p, on.truth));
    out.brier = brier;
    return out;
  }

  std::vector<const MemberTable*> everybody() const {
    std::vector<const MemberTable*> out;
    for (const MemberTable& m : r_.members) out.push_back(&m);
    return out;
  }

  Status add_members() {
    for (std::size_t m = 0; m < names_.size(); ++m) {
      CONSORT_CHECK_OK(enter(names_[m], Role::kMember, raw_member(m), fit_, test_, everybody()));
      asked_.emplace_back(names_[m] + " calibrated", calibrated_member(names_, m));
      CONSORT_CHECK_OK(
          enter(asked_.back().first, Role::kMember, asked_.back().second, fit_, test_, everybody()));
    }
    return {};
  }

  Status add_strategies() {
    if (names_.size() < 2) {
      contest_.notes.push_back("one member: there is nothing to combine");
      return {};
    }
    const double classes = static_cast<double>(class_count(task_));
    for (const ClassStrategy& s : class_strategies(names_, has_bytes(task_, r_.members), classes))
      if (wanted(r_, s.name)) {
        CONSORT_CHECK_OK(enter(s.name, Role::kStrategy, s, fit_, test_, everybody()));
        asked_.emplace_back(s.name, s);
      }
    return {};
  }

  // The head on the members' embeddings one behind the other.
  Status add_concatenation() {
    std::vector<const MemberTable*> with;
    std::vector<Vectors> vectors;
    for (const MemberTable& m : r_.members)
      if (!m.vectors.empty()) {
        with.push_back(&m);
        vectors.push_back(m.vectors);
      }
    if (with.size() < 2 || !wanted(r_, "concatenate")) return {};
    MemberTable joined{"concatenate", with.front()->rows, {}, {}};
    const std::vector<double> weights(with.size(), 1.0 / static_cast<double>(with.size()));
    CONSORT_TRY(logs, head_distributions(task_, concatenated(vectors, weights), r_.seed));
    joined.logs = std::move(logs);
    ClassStrategy strategy = calibrated_member({"concatenate"}, 0);
    strategy.how = "the head on the members' embeddings one behind the other, with its temperature fitted";
    CONSORT_TRY(c, enter("concatenate", Role::kStrategy, strategy, class_split(task_, {joined}, splits_.fit),
                         class_split(task_, {joined}, splits_.test), {&joined}));
    c->entry.flop = c->entry.tokens = 0;
    c->parts.clear();
    for (const MemberTable* m : with) c->parts.push_back(m->name);
    add_cost(c->entry, with, splits_);
    return {};
  }

  // Each measure has its own: as it came or calibrated, whichever is better on the fit split. Accuracy's ties
  // go by NLL; the area under the ROC curve goes with NLL.
  void choose_best_members() {
    std::size_t by_accuracy = 0, by_nll = 0, by_brier = 0;
    for (std::size_t k = 1; k < 2 * names_.size(); ++k) {
      const CrossScore &c = cross_[k], &a = cross_[by_accuracy];
      if (c.accuracy > a.accuracy || (c.accuracy == a.accuracy && c.nll < a.nll)) by_accuracy = k;
      if (c.nll < cross_[by_nll].nll) by_nll = k;
      if (c.brier < cross_[by_brier].brier) by_brier = k;
    }
    const auto set = [&](const char* measure, std::size_t k) {
      contest_.best_member[measure] = contest_.contestants[k].entry.name;
      contest_.contestants[k].entry.best_for.push_back(measure);
    };
    set("accuracy", by_accuracy);
    set("nll", by_nll);
    set("brier", by_brier);
    if (contest_.groups.contains("auroc")) set("auroc", by_nll);
    best_ = by_accuracy / 2;
  }

  Status add_control() {
    std::vector<MemberTable> heads;
    if (r_.control.empty() && !r_.members[best_].vectors.empty()) CONSORT_CHECK_OK(other_heads(heads));
    const std::vector<MemberTable>& control = r_.control.empty() ? heads : r_.control;
    if (control.size() < 2) {
      contest_.notes.push_back("no control of the same compute: " + r_.no_control);
      return {};
    }
    std::vector<const MemberTable*> tables;
    std::vector<std::string> names;
    for (const MemberTable& t : control) {
      tables.push_back(&t);
      names.push_back(t.name);
    }
    const ClassSplit fit = class_split(task_, control, splits_.fit),
                     test = class_split(task_, control, splits_.test);
    const std::size_t first = contest_.contestants.size();
    const std::string what = heads.empty() ? "wordings" : "heads";
    for (const ClassStrategy& s : class_strategies(names, false, static_cast<double>(class_count(task_)))) {
      if (s.name != "linearPool" && s.name != "linearPool fitted" && s.name != "logPool fitted") continue;
      CONSORT_TRY(c, enter(fmt::format("{} x {} {}, {}", control.size(), names_[best_], what, s.name),
                           Role::kControl, s, fit, test, tables));
      if (heads.empty()) continue;
      c->entry.flop = c->entry.tokens = 0;  // heads share one embedding
      add_cost(c->entry, {&r_.members[best_]}, splits_);
    }
    set_best_controls(first);
    return {};
  }

  void set_best_controls(std::size_t first) {
    std::vector<double> accuracy, nll, brier;
    for (std::size_t k = first; k < contest_.contestants.size(); ++k) {
      accuracy.push_back(cross_[k].accuracy);
      nll.push_back(-cross_[k].nll);
      brier.push_back(-cross_[k].brier);
    }
    const auto set = [&](const char* measure, const std::vector<double>& values) {
      Contestant& c = contest_.contestants[first + best_place(values)];
      contest_.best_control[measure] = c.entry.name;
      c.entry.best_for.push_back(measure);
    };
    set("accuracy", accuracy);
    set("nll", nll);
    set("brier", brier);
    if (contest_.groups.contains("auroc")) set("auroc", nll);
  }

  // Encoders draw nothing: the best member's embeddings under the other heads stand for its own ensemble.
  Status other_heads(std::vector<MemberTable>& out) {
    const MemberTable& best = r_.members[best_];
    const auto training = static_cast<double>(task_.items.size() - splits_.fit.size() - splits_.test.size());
    const double width = static_cast<double>(best.vectors.front().size());
    constexpr std::pair<LabelHead, const char*> kHeads[] = {
        {LabelHead::kNeighbours, "knn"}, {LabelHead::kCentroid, "centroid"}, {LabelHead::kProbe, "probe"}};
    for (const auto& [head, name] : kHeads) {
      const double work = training * width * width * static_cast<double>(task_.labels.size());
      MemberTable table{fmt::format("{} ({})", best.name, name), best.rows, best.logs, {}};
      if (head != task_.head) {
        if (head == LabelHead::kProbe && work > kMostProbeWork) continue;
        Task other = task_;
        other.head = head;
        auto logs = head_distributions(other, best.vectors, r_.seed);
        if (!logs) continue;  // a label without training items: this head cannot be had
        table.logs = std::move(*logs);
      }
      out.push_back(std::move(table));
    }
    contest_.notes.push_back("control of the same compute: the best member's embeddings under " +
                             std::to_string(out.size()) +
                             " heads (encoders draw nothing, wordings were not given)");
    return {};
  }

  void choose() {
    std::vector<double> values;
    for (std::size_t k = 0; k < contest_.contestants.size(); ++k) {
      const Role role = contest_.contestants[k].entry.role;
      values.push_back(role == Role::kControl ? kUnknown : -cross_[k].nll);  // votes have none
    }
    consort::choose(contest_, values, "nll", !folds_.empty());
    if (splits_.fit.size() < fitting::kItemsForFullWeights)
      contest_.notes.push_back(fmt::format(
          "{} items for fitting: fitted weights are pulled half way to equal ones", splits_.fit.size()));
  }

  Status add_subsets() {
    std::vector<std::size_t> everything(contest_.size());
    std::iota(everything.begin(), everything.end(), 0);
    for (const auto& set : subsets_of(names_.size(), kMostSubsets)) {
      std::vector<fitting::MatrixView> some;
      SubsetQuality quality;
      for (const std::size_t m : set) {
        some.push_back(test_.members[m].log_p);
        quality.members.push_back(names_[m]);
      }
      CONSORT_TRY(pooled, fitting::linear_pool(some, {}));
      Contestant pool;
      ClassSaid said = said_by(std::move(pooled));
      CONSORT_CHECK_OK(fill_items(pool, said));
      quality.value = measured(contest_, pool, contest_.measures.front().name, everything);
      contest_.subsets.push_back(std::move(quality));
    }
    return {};
  }

  // Of the members as they came and of their plain pool.
  Status add_calibrators() {
    std::vector<std::pair<std::string, ClassStrategy>> asked;
    for (std::size_t m = 0; m < names_.size(); ++m) asked.emplace_back(names_[m], raw_member(m));
    for (const auto& [name, strategy] : asked_)
      if (name == "linearPool") asked.emplace_back(name, strategy);
    for (const auto& [name, strategy] : asked) {
      CONSORT_TRY(rows, calibrator_results(name, strategy, fit_, test_));
      contest_.calibrators.insert(contest_.calibrators.end(), rows.begin(), rows.end());
    }
    return {};
  }

  // Of the calibrated members and the strategies: what doubt is worth in classes.
  Status add_sets() {
    if (folds_.empty()) return {};
    const SetSplit split = set_split(fit_, folds_);
    if (!split.enough()) {
      contest_.notes.push_back("no prediction sets: fewer than 9 items are left to calibrate them");
      return {};
    }
    for (const auto& [name, strategy] : asked_) {
      CONSORT_TRY(sets, prediction_sets(name, strategy, split, test_, r_.seed));
      contest_.sets.insert(contest_.sets.end(), sets.begin(), sets.end());
    }
    return {};
  }

  Status add_trajectory() {
    if (names_.size() < 2) return {};
    std::vector<std::vector<double>> logs;
    for (std::size_t m = 0; m < names_.size(); ++m) {
      logs.emplace_back();
      for (const double nll : contest_.contestants[2 * m + 1].items.at("nll").sums)
        logs.back().push_back(-nll);
    }
    CombinerOptions options;
    options.alpha = kTrajectoryShare;
    CONSORT_TRY(mixed, mix_code(logs, options));
    contest_.trajectory = {
        fmt::format("Weights of a Bayesian mixture (fixed share {}) of the calibrated members while "
                    "the test items come in the file's order; each is weighed by what came before.",
                    kTrajectoryShare),
        "test items seen", names_, std::move(mixed.weights)};
    return {};
  }

  void add_oracle() {
    Contestant c = oracle_of(r_, splits_,
                             "the member that is best on the item, known afterwards: a bound, not a method");
    c.right.assign(contest_.size(), 0.0);
    for (const char* measure : {"nll", "brier"}) c.items[measure].sums.assign(contest_.size(), 1e9);
    for (std::size_t k = 0; k < 2 * names_.size(); ++k) {  // as they came and calibrated
      const Contestant& member = contest_.contestants[k];
      for (std::size_t i = 0; i < contest_.size(); ++i) {
        c.right[i] = std::max(c.right[i], member.right[i]);
        for (const char* measure : {"nll", "brier"})
          c.items[measure].sums[i] = std::min(c.items[measure].sums[i], member.items.at(measure).sums[i]);
      }
    }
    c.items["accuracy"].sums = c.right;
    contest_.contestants.push_back(std::move(c));
  }

  const AnalysisRequest& r_;
  const Task& task_;
  const Splits splits_;
  Contest contest_;
  std::vector<int> folds_;
  std::vector<std::string> names_;
  ClassSplit fit_, test_;
  std::vector<std::pair<std::string, ClassStrategy>>
      asked_;                      // calibrated members and strategies, for the sets
  std::vector<CrossScore> cross_;  // of the contestants so far
  std::size_t best_ = 0;           // member, by accuracy
};

}  // namespace

Result<Contest> class_contest(const AnalysisRequest& request) {
  return ClassContest(request).run();
}

double class_fit_accuracy(const Task& task, const MemberTable& member) {
  double right = 0, items = 0;
  for (std::size_t i = 0; i < task.items.size(); ++i) {
    if (task.items[i].split != kFitSplit) continue;
    const auto& logs = member.logs[i];
    right += std::max_element(logs.begin(), logs.end()) - logs.begin() ==
             static_cast<std::ptrdiff_t>(task.items[i].gold);
    ++items;
  }
  return items > 0 ? right / items : kUnknown;
}

}  // namespace consort
