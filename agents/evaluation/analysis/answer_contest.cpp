#include "agents/evaluation/analysis/answer_contest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "agents/ensemble/fitting/dawid_skene.h"
#include "agents/ensemble/strategy.h"
#include "agents/evaluation/analysis/class_measures.h"
#include "agents/evaluation/analysis/splits.h"

namespace consort {
namespace {

constexpr double kOpenAnswers = 20;  // wrong answers that an open question effectively has, plus one

using Places = std::vector<std::size_t>;  // of items in the task
using Tables = std::vector<const MemberTable*>;

struct Said {
  std::string answer;  // canonical; empty: nobody's answer counts
  double confidence = 0;
};
using Apply = std::function<Said(std::size_t item)>;

// What a strategy knows after looking at some items.
struct Learnt {
  Tables voters;
  std::vector<double> accuracy;  // of each: tie rule or weight
};

const char* kind_name(AnswerKind kind) {
  switch (kind) {
    case AnswerKind::kNumber:
      return "number";
    case AnswerKind::kLetter:
      return "letter";
    case AnswerKind::kBoolean:
      return "boolean";
    case AnswerKind::kText:
      return "text";
  }
  return "text";
}

bool right(const Task& task, const MemberTable& member, std::size_t item) {
  const std::string& answer = member.rows[item]->answer;
  return !answer.empty() && answer == task.items[item].gold_text;
}

double accuracy(const Task& task, const MemberTable& member, const Places& items) {
  double sum = 0;
  for (const std::size_t i : items) sum += right(task, member, i) ? 1 : 0;
  return items.empty() ? kUnknown : sum / static_cast<double>(items.size());
}

// Likelihood a byte of the answer, as a share.
double own_confidence(const PredictionRow& row) {
  if (row.answer.empty() || row.scores.empty() || row.bytes.empty() || row.bytes[0] <= 0) return 0;
  return std::exp(row.scores[0] / static_cast<double>(row.bytes[0]));
}

class AnswerContest {
 public:
  explicit AnswerContest(const AnalysisRequest& request)
      : r_(request),
        task_(*request.task),
        splits_(splits_of(task_)),
        contest_(empty_contest(task_, splits_)) {}

  Result<Contest> run() {
    if (splits_.fit.empty())
      return fail(ErrorKind::kInvalid, "no item is for fitting", task_.name,
                  "give some items the split 'fit'");
    CONSORT_TRY(folds, folds_of(splits_, r_.seed));
    folds_ = std::move(folds);
    add_measures();
    for (const MemberTable& m : r_.members) {
      members_.push_back(&m);
      enter(m.name, Role::kMember, "as recorded, greedy", {&m}, Value::object({}), alone(m),
            accuracy(task_, m, splits_.fit));
    }
    best_ = best_place(fit_scores_);
    set_best_member(contest_, best_);
    if (members_.size() < 2) contest_.notes.push_back("one member: there is nothing to combine");
    if (members_.size() >= 2)
      for (const std::string& name : answer_strategy_names())
        if (wanted(r_, name)) add_strategy(name);
    choose(contest_, fit_scores_, "accuracy", !folds_.empty());
    add_control();
    add_subsets();
    add_oracle();
    return std::move(contest_);
  }

 private:
  void add_measures() {
    contest_.measures = {{"accuracy", true, true, "share of right answers; an abstention is wrong"},
                         {"answered", true, true, "share of items whose answer could be read"},
                         {"aurc", false, true, "area under the risk-coverage curve"}};
    contest_.groups["aurc"] = selective_area();
    contest_.tested = {"accuracy"};
  }

  Apply alone(const MemberTable& m) const {
    return [&m](std::size_t i) { return Said{m.rows[i]->answer, own_confidence(*m.rows[i])}; };
  }

  void enter(std::string name, Role role, std::string how, const Tables& parts, Value parameters,
             const Apply& apply, double fit_score) {
    Contestant c;
    c.entry.name = std::move(name);
    c.entry.role = role;
    c.entry.how = std::move(how);
    c.entry.parameters = std::move(parameters);
    c.entry.fit_score = fit_score;
    for (const MemberTable* m : parts) c.parts.push_back(m->name);
    add_cost(c.entry, parts, splits_);
    std::vector<double> answered;
    for (const std::size_t i : splits_.test) {
      const Said said = apply(i);
      c.right.push_back(!said.answer.empty() && said.answer == task_.items[i].gold_text ? 1 : 0);
      c.confidence.push_back(said.confidence);
      answered.push_back(said.answer.empty() ? 0 : 1);
    }
    c.items["accuracy"].sums = c.right;
    c.items["answered"].sums = std::move(answered);
    if (role != Role::kControl) fit_scores_.push_back(fit_score);
    contest_.contestants.push_back(std::move(c));
  }

  // Members' answers to one item as the strategies of workflows take them.
  Said combined(const Tables& members, const std::vector<double>& validation, bool weighted,
                std::size_t item) const {
    PredictionTable table;
    table.candidates = task_.items[item].options;
    for (std::size_t m = 0; m < members.size(); ++m) {
      const PredictionRow& row = *members[m]->rows[item];
      MemberPrediction p;
      p.name = members[m]->name;
      p.validation = validation[m];
      p.answer = row.answer_raw.empty() ? row.answer : row.answer_raw;
      if (!row.scores.empty() && !row.bytes.empty() && row.bytes[0] > 0) {
        p.answer_logprob_nats = row.scores[0];
        p.answer_bytes = static_cast<std::size_t>(row.bytes[0]);
      }
      table.members.push_back(std::move(p));
    }
    Value options = Value::object({{"answer", kind_name(task_.answer)}});
    if (weighted) options = options.with("weighting", "naiveBayes").with("answers", answers_of(item));
    const auto result = combine_predictions(weighted ? "weightedVote" : "vote", table, options);
    if (!result) return {};  // all abstained
    return {result->ranking.front().canonical, result->signals.confidence};
  }

  double answers_of(std::size_t item) const {
    if (task_.answer == AnswerKind::kBoolean) return 2;
    const std::size_t options = task_.items[item].options.size();
    return options >= 2 ? static_cast<double>(options) : kOpenAnswers;
  }

  Learnt accuracies(const Tables& voters, const Places& items) const {
    Learnt out{voters, {}};
    for (const MemberTable* m : voters) out.accuracy.push_back(accuracy(task_, *m, items));
    return out;
  }

  // The subset whose vote has most items right; the smaller one, then the earlier one of equals.
  Learnt selected(const Places& items) const {
    Learnt best;
    double most = -1;
    for (const auto& set : subsets_of(members_.size(), kMostSubsets)) {
      Tables voters;
      for (const std::size_t m : set) voters.push_back(members_[m]);
      Learnt some = accuracies(voters, items);
      const double share = share_right(voting("vote", some), items);
      if (share <= most) continue;
      most = share;
      best = std::move(some);
    }
    return best;
  }

  // none: the strategy cannot be had on these items.
  std::optional<Learnt> learnt(const std::string& name, const Places& items) const {
    if (name == "selectedVote") return selected(items);
    if (name != "dawidSkene") return accuracies(members_, items);
    std::vector<std::vector<std::int32_t>> answers;
    for (const std::size_t i : items) {
      std::map<std::string, std::int32_t> numbers;
      answers.emplace_back();
      for (const MemberTable* m : members_) {
        const std::string& a = m->rows[i]->answer;
        answers.back().push_back(
            a.empty() ? -1 : numbers.emplace(a, static_cast<std::int32_t>(numbers.size())).first->second);
      }
    }
    fitting::DawidSkeneOptions options;
    options.answers = answers_of(items.front());
    const auto fit = fitting::fit_dawid_skene(answers, options);
    if (!fit) return std::nullopt;
    return Learnt{members_, fit->accuracy};
  }

  Apply voting(const std::string& name, Learnt known) const {
    const bool weighted = name == "weightedVote" || name == "dawidSkene";
    return [this, weighted, known = std::move(known)](std::size_t i) {
      return combined(known.voters, known.accuracy, weighted, i);
    };
  }

  double share_right(const Apply& apply, const Places& items) const {
    double sum = 0;
    for (const std::size_t i : items) {
      const Said said = apply(i);
      sum += !said.answer.empty() && said.answer == task_.items[i].gold_text ? 1 : 0;
    }
    return sum / static_cast<double>(items.size());
  }

  double cross_fitted(const std::string& name, const Learnt& known) const {
    if (folds_.empty()) return share_right(voting(name, known), splits_.fit);
    double score = 0;
    for (int fold = 0; fold < kFolds; ++fold) {
      Places in, out;
      for (std::size_t i = 0; i < folds_.size(); ++i)
        (folds_[i] == fold ? out : in).push_back(splits_.fit[i]);
      const auto some = learnt(name, in);
      if (!some) return kUnknown;
      score += share_right(voting(name, *some), out) * static_cast<double>(out.size());
    }
    return score / static_cast<double>(folds_.size());
  }

  void add_strategy(const std::string& name) {
    constexpr std::pair<const char*, const char*> kHow[] = {
        {"vote", "one member one vote over canonical answers"},
        {"selectedVote", "the vote of the subset of members that is right most often on the fit split"},
        {"weightedVote", "votes with naive-Bayes weights from the fit split's accuracies"},
        {"dawidSkene", "votes with accuracies estimated from agreement alone, without labels"}};
    const auto known = learnt(name, splits_.fit);
    if (!known) {
      contest_.notes.push_back(name + " is left out: a member never answers on the fit split");
      return;
    }
    std::vector<std::string> names;
    for (const MemberTable* m : known->voters) names.push_back(m->name);
    const auto how =
        std::find_if(std::begin(kHow), std::end(kHow), [&](const auto& h) { return name == h.first; });
    enter(name, Role::kStrategy, how->second, known->voters,
          name == "vote" ? Value::object({})
                         : Value::object({{"accuracy", named_numbers(names, known->accuracy)}}),
          voting(name, *known), cross_fitted(name, *known));
  }

  void add_control() {
    if (r_.control.size() < 2) {
      contest_.notes.push_back("no control of the same compute: " + r_.no_control);
      return;
    }
    Tables tables;
    for (const MemberTable& t : r_.control) tables.push_back(&t);
    const std::vector<double> equal(tables.size(), 0.5);
    const Apply apply = [this, tables, equal](std::size_t i) { return combined(tables, equal, false, i); };
    enter(fmt::format("{} x {} samples, vote", tables.size(), members_[best_]->name), Role::kControl,
          "self-consistency: the best member greedy and sampled, one vote each", tables, Value::object({}),
          apply, share_right(apply, splits_.fit));
    set_control(contest_);
  }

  void add_subsets() {
    for (const auto& set : subsets_of(members_.size(), kMostSubsets)) {
      Tables some;
      SubsetQuality quality;
      std::vector<double> known;
      for (const std::size_t m : set) {
        some.push_back(members_[m]);
        known.push_back(accuracy(task_, *members_[m], splits_.fit));
        quality.members.push_back(members_[m]->name);
      }
      quality.value =
          share_right([&](std::size_t i) { return combined(some, known, false, i); }, splits_.test);
      contest_.subsets.push_back(std::move(quality));
    }
  }

  void add_oracle() {
    Contestant c = oracle_of(r_, splits_, "right where any member is right: a bound, not a method");
    c.right.assign(contest_.size(), 0.0);
    for (std::size_t m = 0; m < members_.size(); ++m)
      for (std::size_t i = 0; i < contest_.size(); ++i)
        c.right[i] = std::max(c.right[i], contest_.contestants[m].right[i]);
    c.items["accuracy"].sums = c.right;
    contest_.contestants.push_back(std::move(c));
  }

  const AnalysisRequest& r_;
  const Task& task_;
  const Splits splits_;
  Contest contest_;
  std::vector<int> folds_;
  Tables members_;
  std::vector<double> fit_scores_;  // of members and strategies, in the table's order
  std::size_t best_ = 0;
};

}  // namespace

Result<Contest> answer_contest(const AnalysisRequest& request) {
  return AnswerContest(request).run();
}

std::vector<std::string> answer_strategy_names() {
  return {"vote", "weightedVote", "dawidSkene", "selectedVote"};
}

double answer_fit_accuracy(const Task& task, const MemberTable& member) {
  return accuracy(task, member, splits_of(task).fit);
}

}  // namespace consort
