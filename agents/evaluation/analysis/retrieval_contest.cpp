#include "agents/evaluation/analysis/retrieval_contest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "agents/ensemble/fitting/rank_fusion.h"
#include "agents/evaluation/analysis/splits.h"
#include "agents/evaluation/measures/retrieval.h"

namespace consort {
namespace {

using Places = std::vector<std::size_t>;  // of queries in the task
using fitting::ScoredList;

constexpr std::size_t kCut = 10;  // of nDCG and recall
constexpr int kWeightSteps = 10;  // the simplex in tenths, one member at a time
constexpr int kWeightRounds = 2;
constexpr double kCosineSlack = 1e-3;

struct Fitted {
  Value parameters;
  std::function<Result<ScoredList>(std::size_t query)> rank;
};

struct Figures {
  double ndcg = 0, recall = 0, recall1 = 0, mrr = 0;
};

bool has_mark(const TaskItem& query) {
  return std::any_of(query.relevant.begin(), query.relevant.end(),
                     [](const auto& mark) { return mark.second > 0; });
}

ScoredList list_of(const Task& task, const MemberTable& member, std::size_t q) {
  ScoredList out;
  const auto& scores = member.rows[q]->scores;
  for (std::size_t d = 0; d < scores.size(); ++d) out.push_back({task.documents[d].id, scores[d]});
  return out;
}

// Best first, ties by name.
Result<Figures> figures(const Task& task, ScoredList ranking, std::size_t q) {
  std::sort(ranking.begin(), ranking.end(), [](const auto& a, const auto& b) {
    return a.score != b.score ? a.score > b.score : a.document < b.document;
  });
  std::vector<std::string> names;
  for (const auto& d : ranking) names.push_back(d.document);
  CONSORT_TRY(ten, measures::retrieval_scores(names, task.items[q].relevant, kCut));
  CONSORT_TRY(one, measures::retrieval_scores(names, task.items[q].relevant, 1));
  return Figures{ten.ndcg, ten.recall, one.recall, ten.reciprocal_rank};
}

class RetrievalContest {
 public:
  explicit RetrievalContest(const AnalysisRequest& request)
      : r_(request),
        task_(*request.task),
        splits_(marked(splits_of(task_))),
        contest_(empty_contest(task_, splits_)) {}

  Result<Contest> run() {
    CONSORT_CHECK_OK(check());
    contest_.measures = {{"ndcg10", true, false, "normalised discounted gain of the first ten documents"},
                         {"recall10", true, true, "share of the relevant documents among the first ten"},
                         {"recall1", true, true, "share of the relevant documents that comes first"},
                         {"mrr", true, false, "mean of 1 / rank of the first relevant document"}};
    contest_.tested = {"ndcg10", "recall10", "mrr"};
    if (const std::size_t dropped = queries_without_marks(); dropped > 0)
      contest_.notes.push_back(fmt::format("{} queries without a relevant document are left out", dropped));
    CONSORT_TRY(folds, folds_of(splits_, r_.seed));
    folds_ = std::move(folds);
    for (std::size_t m = 0; m < names_.size(); ++m) {
      const Fitted member{Value::object({}),
                          [this, m](std::size_t q) -> Result<ScoredList> { return list(m, q); }};
      CONSORT_CHECK_OK(enter(names_[m], Role::kMember, "scores as recorded", {m}, member));
    }
    best_ = best_place(scores_);
    set_best_member(contest_, best_);
    CONSORT_CHECK_OK(add_strategies());
    choose(contest_, scores_, "ndcg10", !folds_.empty());
    CONSORT_CHECK_OK(add_control());
    CONSORT_CHECK_OK(add_subsets());
    add_oracle();
    return std::move(contest_);
  }

 private:
  // Without relevant documents there is nothing to measure.
  Splits marked(Splits all) const {
    Splits out;
    for (std::size_t i = 0; i < all.fit.size(); ++i)
      if (has_mark(task_.items[all.fit[i]])) {
        out.fit.push_back(all.fit[i]);
        out.fit_groups.push_back(all.fit_groups[i]);
      }
    for (std::size_t i = 0; i < all.test.size(); ++i)
      if (has_mark(task_.items[all.test[i]])) {
        out.test.push_back(all.test[i]);
        out.test_groups.push_back(all.test_groups[i]);
      }
    return out;
  }

  std::size_t queries_without_marks() const {
    const Splits all = splits_of(task_);
    return all.fit.size() + all.test.size() - splits_.fit.size() - splits_.test.size();
  }

  Status check_scores(const MemberTable& m) {
    for (const Places* part : {&splits_.fit, &splits_.test})
      for (const std::size_t q : *part) {
        const auto& scores = m.rows[q]->scores;
        if (scores.size() != task_.documents.size())
          return fail(ErrorKind::kInvalid, "a score for each document is wanted",
                      m.name + ", item " + task_.items[q].id);
        for (const double s : scores) cosines_ = cosines_ && std::abs(s) <= 1 + kCosineSlack;
      }
    return {};
  }

  Status check() {
    if (splits_.fit.empty() || splits_.test.empty())
      return fail(ErrorKind::kInvalid, "no query with relevant documents is left to fit or to test on",
                  task_.name);
    cosines_ = true;
    for (const MemberTable& m : r_.members) {
      names_.push_back(m.name);
      CONSORT_CHECK_OK(check_scores(m));
    }
    return {};
  }

  ScoredList list(std::size_t m, std::size_t q) const { return list_of(task_, r_.members[m], q); }

  std::vector<ScoredList> lists(const Places& members, std::size_t q) const {
    std::vector<ScoredList> out;
    for (const std::size_t m : members) out.push_back(list(m, q));
    return out;
  }

  Result<double> quality(const Fitted& fitted, const Places& queries) const {
    double sum = 0;
    for (const std::size_t q : queries) {
      CONSORT_TRY(ranking, fitted.rank(q));
      CONSORT_TRY(f, figures(task_, std::move(ranking), q));
      sum += f.ndcg / static_cast<double>(queries.size());
    }
    return sum;
  }

  Status enter(std::string name, Role role, std::string how, const Places& members, const Fitted& fitted) {
    return enter(
        contestant_of(r_, splits_, std::move(name), role, std::move(how), members, fitted.parameters),
        fitted);
  }

  Status enter(Contestant c, const Fitted& fitted) {
    for (const std::size_t q : splits_.test) {
      CONSORT_TRY(ranking, fitted.rank(q));
      CONSORT_TRY(f, figures(task_, std::move(ranking), q));
      c.items["ndcg10"].sums.push_back(f.ndcg);
      c.items["recall10"].sums.push_back(f.recall);
      c.items["recall1"].sums.push_back(f.recall1);
      c.items["mrr"].sums.push_back(f.mrr);
    }
    CONSORT_TRY(score, quality(fitted, splits_.fit));
    c.entry.fit_score = score;
    scores_.push_back(score);
    contest_.contestants.push_back(std::move(c));
    return {};
  }

  Fitted z_weighted(std::vector<double> weights) const {
    Value parameters = Value::object({{"weights", named_numbers(names_, weights)}});
    return {std::move(parameters), [this, weights = std::move(weights)](std::size_t q) -> Result<ScoredList> {
              return fitting::z_fusion(lists(everybody(), q), weights);
            }};
  }

  Places everybody() const {
    Places out;
    for (std::size_t m = 0; m < names_.size(); ++m) out.push_back(m);
    return out;
  }

  // One member's share at a time in tenths, the others keeping their proportions, while nDCG rises.
  Result<Fitted> fit_weights(const Places& queries) const {
    std::vector<double> best(names_.size(), 1.0 / static_cast<double>(names_.size()));
    CONSORT_TRY(value, quality(z_weighted(best), queries));
    for (int round = 0; round < kWeightRounds; ++round)
      for (std::size_t m = 0; m < names_.size(); ++m)
        for (int step = 0; step <= kWeightSteps; ++step) {
          const double share = static_cast<double>(step) / kWeightSteps;
          std::vector<double> tried = best;
          const double others = 1 - best[m];
          for (std::size_t k = 0; k < tried.size(); ++k)
            tried[k] = k == m       ? share
                       : others > 0 ? best[k] * (1 - share) / others
                                    : (1 - share) / static_cast<double>(tried.size() - 1);
          CONSORT_TRY(now, quality(z_weighted(tried), queries));
          if (now <= value + 1e-12) continue;
          value = now;
          best = tried;
        }
    return z_weighted(std::move(best));
  }

  Result<Fitted> fitted(const std::string& name, const Places& queries) const {
    if (name == "weighted") return fit_weights(queries);
    return Fitted{Value::object({}), [this, name](std::size_t q) -> Result<ScoredList> {
                    const std::vector<ScoredList> all = lists(everybody(), q);
                    if (name == "reciprocalRank") return fitting::reciprocal_rank_fusion(all);
                    if (name == "combSum") return fitting::comb_sum(all);
                    if (name == "zScoreMean") return fitting::z_fusion(all);
                    return mean_cosine(all);
                  }};
  }

  // The cosine of the members' embeddings one behind the other (research note A5).
  static ScoredList mean_cosine(const std::vector<ScoredList>& lists) {
    ScoredList out = lists.front();
    for (std::size_t m = 1; m < lists.size(); ++m)
      for (std::size_t d = 0; d < out.size(); ++d) out[d].score += lists[m][d].score;
    return out;
  }

  Result<double> cross_fitted(const std::string& name) const {
    if (folds_.empty() || name != "weighted") return scores_.back();
    double sum = 0;
    for (int fold = 0; fold < kFolds; ++fold) {
      Places in, out;
      for (std::size_t i = 0; i < folds_.size(); ++i)
        (folds_[i] == fold ? out : in).push_back(splits_.fit[i]);
      CONSORT_TRY(made, fitted(name, in));
      CONSORT_TRY(part, quality(made, out));
      sum += part * static_cast<double>(out.size());
    }
    return sum / static_cast<double>(folds_.size());
  }

  Status add_strategies() {
    if (names_.size() < 2) {
      contest_.notes.push_back("one member: there is nothing to combine");
      return {};
    }
    constexpr std::pair<const char*, const char*> kHow[] = {
        {"reciprocalRank", "sum of 1 / (60 + rank)"},
        {"combSum", "sum of scores, each list brought to 0 to 1"},
        {"zScoreMean", "mean of scores, each list brought to mean 0 and deviation 1"},
        {"concatenate", "cosine of the members' embeddings one behind the other"},
        {"weighted", "weighted mean of standardised scores, weights by nDCG on the fit split"}};
    for (const auto& [name, how] : kHow) {
      if (!wanted(r_, name)) continue;
      if (std::string(name) == "concatenate" && !cosines_)
        continue;  // logits and sums of matches are no cosines
      CONSORT_TRY(made, fitted(name, splits_.fit));
      CONSORT_CHECK_OK(enter(name, Role::kStrategy, how, everybody(), made));
      CONSORT_TRY(score, cross_fitted(name));
      scores_.back() = contest_.contestants.back().entry.fit_score = score;
    }
    return {};
  }

  // The best member in other wordings of the query, as often as the ensemble's compute pays for.
  Status add_control() {
    if (r_.control.size() < 2) {
      contest_.notes.push_back("no control of the same compute: " + r_.no_control);
      return {};
    }
    for (const MemberTable& t : r_.control) CONSORT_CHECK_OK(check_scores(t));
    const Fitted own{Value::object({}), [this](std::size_t q) {
                       std::vector<ScoredList> all;
                       for (const MemberTable& t : r_.control) all.push_back(list_of(task_, t, q));
                       return fitting::z_fusion(all);
                     }};
    CONSORT_CHECK_OK(enter(
        wordings_of(r_, splits_, names_[best_], "mean of its standardised scores for each wording"), own));
    set_control(contest_);
    return {};
  }

  Status add_subsets() {
    for (const auto& set : subsets_of(names_.size(), kMostSubsets)) {
      SubsetQuality subset;
      for (const std::size_t m : set) subset.members.push_back(names_[m]);
      const Fitted fused{Value(), [this, set](std::size_t q) { return fitting::z_fusion(lists(set, q)); }};
      CONSORT_TRY(value, quality(fused, splits_.test));
      subset.value = value;
      contest_.subsets.push_back(std::move(subset));
    }
    return {};
  }

  void add_oracle() {
    Contestant c = oracle_of(
        r_, splits_,
        "the member that is best on the query, known afterwards: a bound for choosing, not for fusing");
    c.items = contest_.contestants.front().items;
    for (std::size_t m = 1; m < names_.size(); ++m)
      for (auto& [measure, items] : c.items)
        for (std::size_t k = 0; k < contest_.size(); ++k)
          items.sums[k] = std::max(items.sums[k], contest_.contestants[m].items.at(measure).sums[k]);
    contest_.contestants.push_back(std::move(c));
  }

  const AnalysisRequest& r_;
  const Task& task_;
  const Splits splits_;
  Contest contest_;
  std::vector<int> folds_;
  std::vector<std::string> names_;
  std::vector<double> scores_;  // nDCG on the fit split, of all so far
  bool cosines_ = false;
  std::size_t best_ = 0;
};

}  // namespace

Result<Contest> retrieval_contest(const AnalysisRequest& request) {
  return RetrievalContest(request).run();
}

double retrieval_fit_ndcg(const Task& task, const MemberTable& member) {
  double sum = 0, queries = 0;
  for (std::size_t q = 0; q < task.items.size(); ++q) {
    if (task.items[q].split != kFitSplit || !has_mark(task.items[q])) continue;
    const auto f = figures(task, list_of(task, member, q), q);
    if (!f) return kUnknown;
    sum += f->ndcg;
    ++queries;
  }
  return queries > 0 ? sum / queries : kUnknown;
}

std::vector<std::string> retrieval_strategy_names() {
  return {"reciprocalRank", "combSum", "zScoreMean", "concatenate", "weighted"};
}

}  // namespace consort
