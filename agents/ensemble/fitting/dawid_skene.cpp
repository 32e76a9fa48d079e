#include "agents/ensemble/fitting/dawid_skene.h"

#include <algorithm>
#include <cmath>

#include "agents/ensemble/numbers.h"

namespace consort::fitting {
namespace {

constexpr double kLeastAccuracy = 0.02, kMostAccuracy = 0.98;  // no member decides alone for ever

struct Item {
  std::vector<int> votes;  // [answer]
  double wrong = 1;        // K - 1
};

using Answers = std::span<const std::vector<std::int32_t>>;

Status check(Answers answers, double kinds) {
  if (answers.empty() || answers[0].empty())
    return fail(ErrorKind::kInvalid, "no answers to learn accuracies from");
  if (kinds != 0 && !(kinds >= 2))
    return fail(ErrorKind::kInvalid, "an item must have at least 2 possible answers");
  std::vector<bool> spoke(answers[0].size(), false);
  for (const auto& item : answers) {
    if (item.size() != spoke.size())
      return fail(ErrorKind::kInvalid, "items have different numbers of members");
    for (std::size_t m = 0; m < item.size(); ++m) {
      // Numbers are places of distinct answers, so there are never more of them than members.
      if (item[m] < -1 || item[m] >= static_cast<std::int32_t>(item.size())) {
        return fail(ErrorKind::kInvalid, "answers are numbers of distinct answers of the item, or -1");
      }
      if (item[m] >= 0) spoke[m] = true;
    }
  }
  for (std::size_t m = 0; m < spoke.size(); ++m) {
    if (!spoke[m]) return fail(ErrorKind::kInvalid, "member " + std::to_string(m) + " never answered");
  }
  return {};
}

std::vector<Item> items_of(Answers answers, double kinds) {
  std::vector<Item> items;
  for (const auto& given : answers) {
    Item& item = items.emplace_back();
    const std::int32_t most = *std::max_element(given.begin(), given.end());
    item.votes.assign(static_cast<std::size_t>(most + 1), 0);
    for (const std::int32_t a : given) {
      if (a >= 0) ++item.votes[static_cast<std::size_t>(a)];
    }
    const auto distinct = std::count_if(item.votes.begin(), item.votes.end(), [](int v) { return v > 0; });
    item.wrong = (kinds == 0 ? std::max(2.0, static_cast<double>(distinct)) : kinds) - 1;
  }
  return items;
}

// Share of plurality: all of it on the answers with most votes.
void start(const std::vector<Item>& items, std::vector<std::vector<double>>& posterior) {
  for (const Item& item : items) {
    auto& q = posterior.emplace_back(item.votes.size(), 0.0);
    if (q.empty()) continue;
    const int most = *std::max_element(item.votes.begin(), item.votes.end());
    const auto leaders = std::count(item.votes.begin(), item.votes.end(), most);
    for (std::size_t a = 0; a < q.size(); ++a) {
      if (item.votes[a] == most) q[a] = 1.0 / static_cast<double>(leaders);
    }
  }
}

void estimate_accuracy(Answers answers, const DawidSkene& made, std::vector<double>& accuracy) {
  accuracy.assign(answers[0].size(), 0.0);
  std::vector<double> given(accuracy.size(), 0.0);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    for (std::size_t m = 0; m < accuracy.size(); ++m) {
      const std::int32_t a = answers[i][m];
      if (a < 0) continue;
      accuracy[m] += made.posterior[i][static_cast<std::size_t>(a)];
      given[m] += 1;
    }
  }
  for (std::size_t m = 0; m < accuracy.size(); ++m) {
    accuracy[m] = std::clamp(accuracy[m] / given[m], kLeastAccuracy, kMostAccuracy);
  }
}

void estimate_answers(Answers answers, const std::vector<Item>& items, DawidSkene& made) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto& q = made.posterior[i];
    std::vector<std::vector<double>> terms(q.size());
    for (std::size_t m = 0; m < answers[i].size(); ++m) {
      if (answers[i][m] < 0) continue;
      const auto own = static_cast<std::size_t>(answers[i][m]);
      const double right = std::log(made.accuracy[m]),
                   wrong = std::log((1 - made.accuracy[m]) / items[i].wrong);
      for (std::size_t a = 0; a < q.size(); ++a) terms[a].push_back(a == own ? right : wrong);
    }
    // Numbers nobody used get no share: the model is about the answers that were given.
    for (std::size_t a = 0; a < q.size(); ++a) {
      q[a] = items[i].votes[a] > 0 ? ensemble::ordered_sum(std::move(terms[a])) : -INFINITY;
    }
    if (q.empty()) continue;
    q = ensemble::log_softmax(std::move(q));
    for (double& v : q) v = std::exp(v);
  }
}

std::int32_t likeliest(const Item& item, const std::vector<double>& q) {
  std::int32_t best = -1;
  for (std::size_t a = 0; a < q.size(); ++a) {
    if (item.votes[a] == 0) continue;
    const auto b = static_cast<std::size_t>(best < 0 ? 0 : best);
    const bool tie = best >= 0 && std::abs(q[a] - q[b]) <= ensemble::kTieWidth;
    if (best < 0 || (tie ? item.votes[a] > item.votes[b] : q[a] > q[b])) best = static_cast<std::int32_t>(a);
  }
  return best;
}

}  // namespace

Result<DawidSkene> fit_dawid_skene(Answers answers, const DawidSkeneOptions& options) {
  CONSORT_CHECK_OK(check(answers, options.answers));
  const std::vector<Item> items = items_of(answers, options.answers);
  DawidSkene made;
  start(items, made.posterior);
  estimate_accuracy(answers, made, made.accuracy);
  std::vector<double> next;
  while (made.iterations < options.max_iterations && !made.converged) {
    estimate_answers(answers, items, made);
    estimate_accuracy(answers, made, next);
    double moved = 0;
    for (std::size_t m = 0; m < next.size(); ++m)
      moved = std::max(moved, std::abs(next[m] - made.accuracy[m]));
    made.accuracy = next;
    made.converged = moved <= options.tolerance;
    ++made.iterations;
  }
  estimate_answers(answers, items, made);
  for (std::size_t i = 0; i < items.size(); ++i)
    made.answer.push_back(likeliest(items[i], made.posterior[i]));
  return made;
}

}  // namespace consort::fitting
