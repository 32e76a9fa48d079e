// Models that judge an item directly: classifiers and cross-encoders.
#include <cmath>
#include <map>
#include <utility>

#include "agents/evaluation/run/calls_parts.h"
#include "scheduler/host/wait_on.h"
#include "scheduler/value/digest.h"

namespace consort {
namespace {

constexpr std::size_t kItemsAtATime = 16;
constexpr double kLeastProbability = 1e-12;  // of a label that the classifier does not list
constexpr int kAllLabels = 1 << 20;

Async<ClassifyResult> classify(ModelHandle model, ClassifyRequest request, RequestContext context) {
  auto asked = model.classify(std::move(request), std::move(context));
  co_return co_await std::move(asked);
}
Async<RerankResult> rerank(ModelHandle model, RerankRequest request, RequestContext context) {
  auto asked = model.rerank(std::move(request), std::move(context));
  co_return co_await std::move(asked);
}

template <typename Report>
std::optional<Error> first_error(const Report& report, const std::vector<const TaskItem*>& items,
                                 std::size_t per_item) {
  if (report.errors.empty()) return std::nullopt;
  return of_item(report.errors.front().error, *items[report.errors.front().item / per_item]);
}

class ClassifierCalls final : public MemberCalls {
 public:
  ClassifierCalls(const EvaluationHost& host, const Task& task, ModelHandle model)
      : host_(host), task_(task), model_(std::move(model)) {}

  std::size_t block() const override { return kItemsAtATime; }

  Result<std::string> prompt_hash(const TaskItem& item, int variant) const override {
    CONSORT_TRY(content, label_content(task_, item, variant));
    Value::Array labels;
    for (const std::string& label : task_.labels) labels.emplace_back(label);
    return value_digest(Value::object(
        {{"way", "classify"}, {"input", std::move(content)}, {"labels", Value::array(std::move(labels))}}));
  }

  Result<MemberAnswers> ask(const std::vector<const TaskItem*>& items, int variant, std::uint64_t) override {
    ClassifyRequest request;
    for (const TaskItem* item : items) {
      CONSORT_TRY(input, label_input(task_, *item, variant));
      request.inputs.push_back(std::move(input));
    }
    request.top = kAllLabels;
    auto result = wait_on(host_.io, classify(model_, request, host_.request()));
    if (!result && result.error().kind == ErrorKind::kUnsupported) {  // no classes of its own: zero-shot
      request.labels = task_.labels;
      request.top = static_cast<int>(task_.labels.size());
      result = wait_on(host_.io, classify(model_, std::move(request), host_.request()));
    }
    if (!result) return forward_error(result);
    if (auto error = first_error(*result, items, 1)) return tl::unexpected<Error>(std::move(*error));
    MemberAnswers out;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Decision& decision = result->decisions[i];
      PredictionRow row;
      row.scores = label_logs(decision.raw.empty() ? decision.labels : decision.raw);
      row.entropy = entropy_of_scores(row.scores);
      row.tokens = result->tokens[i];
      row.flop = result->usage.flop / static_cast<double>(items.size());
      row.milliseconds =
          (result->usage.prefill_ms + result->usage.decode_ms) / static_cast<double>(items.size());
      out.rows.push_back(std::move(row));
    }
    return out;
  }

 private:
  // ln p of the task's labels among what the classifier says of them.
  std::vector<double> label_logs(const std::vector<LabelScore>& said) const {
    std::map<std::string, double> mass;
    for (const LabelScore& s : said) mass[s.label] += s.score;
    std::vector<double> p;
    double total = 0;
    for (const std::string& label : task_.labels) {
      const auto at = mass.find(label);
      p.push_back(std::max(at == mass.end() ? 0.0 : at->second, kLeastProbability));
      total += p.back();
    }
    for (double& v : p) v = std::log(v / total);
    return p;
  }

  const EvaluationHost& host_;
  const Task& task_;
  ModelHandle model_;
};

class RerankerCalls final : public MemberCalls {
 public:
  RerankerCalls(const EvaluationHost& host, const Task& task, ModelHandle model)
      : host_(host), task_(task), model_(std::move(model)) {}

  std::size_t block() const override { return task_.kind == TaskKind::kPairs ? kItemsAtATime : 1; }

  Result<std::string> prompt_hash(const TaskItem& item, int variant) const override {
    Value::Object all{
        {"way", "rerank"}, {"a", fill_prompt(wording(task_, variant), item)}, {"b", item.other}};
    if (task_.kind == TaskKind::kRetrieval) all.emplace_back("documents", task_.digest);
    return value_digest(Value::object(std::move(all)));
  }

  Result<MemberAnswers> ask(const std::vector<const TaskItem*>& items, int variant, std::uint64_t) override {
    RerankRequest request;
    for (const TaskItem* item : items) {
      const std::string asked = fill_prompt(wording(task_, variant), *item);
      if (task_.kind == TaskKind::kPairs) {
        request.pairs.push_back({asked, item->other});
        continue;
      }
      for (const TaskDocument& d : task_.documents) request.pairs.push_back({asked, d.text});
    }
    const std::size_t per_item = request.pairs.size() / items.size();
    CONSORT_TRY(result, wait_on(host_.io, rerank(model_, std::move(request), host_.request())));
    if (auto error = first_error(result, items, per_item)) return tl::unexpected<Error>(std::move(*error));
    MemberAnswers out;
    for (std::size_t i = 0; i < items.size(); ++i) {
      PredictionRow row;
      for (std::size_t k = 0; k < per_item; ++k) {
        row.scores.push_back(result.scores[i * per_item + k]);
        row.tokens += result.tokens[i * per_item + k];
      }
      row.flop = result.usage.flop / static_cast<double>(items.size());
      row.milliseconds =
          (result.usage.prefill_ms + result.usage.decode_ms) / static_cast<double>(items.size());
      out.rows.push_back(std::move(row));
    }
    return out;
  }

 private:
  const EvaluationHost& host_;
  const Task& task_;
  ModelHandle model_;
};

}  // namespace

std::unique_ptr<MemberCalls> classifier_calls(const EvaluationHost& host, const Task& task,
                                              ModelHandle model) {
  return std::make_unique<ClassifierCalls>(host, task, std::move(model));
}
std::unique_ptr<MemberCalls> reranker_calls(const EvaluationHost& host, const Task& task, ModelHandle model) {
  return std::make_unique<RerankerCalls>(host, task, std::move(model));
}

}  // namespace consort
