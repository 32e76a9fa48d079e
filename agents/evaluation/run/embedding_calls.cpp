#include <cmath>
#include <optional>
#include <utility>

#include "agents/evaluation/run/calls_parts.h"
#include "scheduler/host/wait_on.h"
#include "scheduler/value/digest.h"

namespace consort {
namespace {

constexpr std::size_t kItemsAtATime = 64;

Async<EmbedResult> embed(ModelHandle model, EmbedRequest request, RequestContext context) {
  auto asked = model.embed(std::move(request), std::move(context));
  co_return co_await std::move(asked);
}

using Rows = std::vector<std::vector<float>>;  // an item's vectors: one, or one a token

std::vector<float> unit(const float* values, std::int64_t n) {
  double square = 0;
  for (std::int64_t i = 0; i < n; ++i) square += static_cast<double>(values[i]) * values[i];
  const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
  std::vector<float> out;
  for (std::int64_t i = 0; i < n; ++i) out.push_back(static_cast<float>(values[i] * scale));
  return out;
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// Cosine of single vectors; late interaction: the sum over the first's vectors of their best match (Khattab
// and Zaharia 2020).
double nearness(const Rows& a, const Rows& b) {
  double sum = 0;
  for (const auto& x : a) {
    double best = -1;
    for (const auto& y : b) best = std::max(best, dot(x, y));
    sum += best;
  }
  return sum;
}

// Embeddings of some inputs with their shares of the cost.
struct Embedded {
  std::vector<Rows> items;
  std::vector<int> tokens;
  double flop = 0, milliseconds = 0;
  bool parts = false;

  double flop_of(std::size_t i) const {
    double all = 0;
    for (const int t : tokens) all += t;
    return all > 0 ? flop * tokens[i] / all : flop / static_cast<double>(tokens.size());
  }
};

class EmbeddingCalls final : public MemberCalls {
 public:
  EmbeddingCalls(const EvaluationHost& host, const Task& task, ModelHandle model)
      : host_(host), task_(task), model_(std::move(model)) {}

  std::size_t block() const override { return kItemsAtATime; }
  bool learns() const override { return task_.kind == TaskKind::kLabels; }

  Result<std::string> prompt_hash(const TaskItem& item, int variant) const override {
    Value::Object all{{"way", "embed"}, {"kind", task_kind_name(task_.kind)}};
    if (task_.kind == TaskKind::kLabels) {
      CONSORT_TRY(content, label_content(task_, item, variant));
      all.emplace_back("input", std::move(content));
    } else {
      all.emplace_back("a", fill_prompt(wording(task_, variant), item));
      all.emplace_back("b", task_.kind == TaskKind::kPairs ? worded_other(task_, item, variant) : item.other);
      if (task_.kind == TaskKind::kRetrieval) all.emplace_back("documents", task_.digest);
    }
    return value_digest(Value::object(std::move(all)));
  }

  Result<MemberAnswers> ask(const std::vector<const TaskItem*>& items, int variant, std::uint64_t) override {
    if (task_.kind == TaskKind::kLabels) return ask_labels(items, variant);
    if (task_.kind == TaskKind::kPairs) return ask_pairs(items, variant);
    return ask_queries(items, variant);
  }

 private:
  Result<Embedded> embedded(std::vector<ModelInput> inputs, std::string input_type,
                            const std::vector<const TaskItem*>& items) {
    EmbedRequest request;
    request.inputs = std::move(inputs);
    request.input_type = std::move(input_type);
    CONSORT_TRY(result, wait_on(host_.io, embed(model_, std::move(request), host_.request())));
    if (!result.errors.empty()) {
      Error error = result.errors.front().error;
      const std::size_t at = result.errors.front().item;
      return tl::unexpected<Error>(at < items.size() ? of_item(std::move(error), *items[at])
                                                     : std::move(error));
    }
    Embedded out;
    out.flop = result.usage.flop;
    out.milliseconds = result.usage.prefill_ms + result.usage.decode_ms;
    out.tokens = result.tokens;
    out.parts = result.level == EmbeddingLevel::kPart;
    for (std::size_t i = 0; i < result.items(); ++i) {
      const TensorView view = result.item(i);
      Rows rows;
      for (std::int64_t r = 0; r < view.rows(); ++r)
        rows.push_back(unit(view.as<float>() + r * view.cols(), view.cols()));
      out.items.push_back(std::move(rows));
    }
    return out;
  }

  static void take_cost(PredictionRow& row, const Embedded& e, std::size_t i) {
    row.tokens += e.tokens[i];
    row.flop += e.flop_of(i);
    row.milliseconds += e.milliseconds / static_cast<double>(e.items.size());
  }

  Result<MemberAnswers> ask_labels(const std::vector<const TaskItem*>& items, int variant) {
    std::vector<ModelInput> inputs;
    for (const TaskItem* item : items) {
      CONSORT_TRY(input, label_input(task_, *item, variant));
      inputs.push_back(std::move(input));
    }
    CONSORT_TRY(e, embedded(std::move(inputs), "", items));
    if (e.parts)
      return fail(ErrorKind::kUnsupported, "a head needs one vector an item, the model gives one a token",
                  model_.id());
    MemberAnswers out;
    for (std::size_t i = 0; i < items.size(); ++i) {
      PredictionRow row;
      StoredVector vector{vector_name(e.items[i].front()), std::move(e.items[i].front())};
      row.embedding = vector.name;
      take_cost(row, e, i);
      out.rows.push_back(std::move(row));
      out.vectors.push_back(std::move(vector));
    }
    return out;
  }

  Result<MemberAnswers> ask_pairs(const std::vector<const TaskItem*>& items, int variant) {
    std::vector<std::string> first, second;
    for (const TaskItem* item : items) {
      first.push_back(fill_prompt(wording(task_, variant), *item));
      second.push_back(worded_other(task_, *item, variant));
    }
    CONSORT_TRY(a, embedded(text_inputs(std::move(first)), "", items));
    CONSORT_TRY(b, embedded(text_inputs(std::move(second)), "", items));
    MemberAnswers out;
    for (std::size_t i = 0; i < items.size(); ++i) {
      PredictionRow row;
      row.scores = {nearness(a.items[i], b.items[i])};
      take_cost(row, a, i);
      take_cost(row, b, i);
      out.rows.push_back(std::move(row));
    }
    return out;
  }

  // The documents' cost is shared out evenly over the queries.
  Result<MemberAnswers> ask_queries(const std::vector<const TaskItem*>& items, int variant) {
    if (!documents_) {
      std::vector<std::string> texts;
      for (const TaskDocument& d : task_.documents) texts.push_back(d.text);
      CONSORT_TRY(documents, embedded(text_inputs(std::move(texts)), "document", {}));
      documents_ = std::move(documents);
    }
    std::vector<std::string> texts;
    for (const TaskItem* item : items) texts.push_back(fill_prompt(wording(task_, variant), *item));
    CONSORT_TRY(queries, embedded(text_inputs(std::move(texts)), "query", items));
    MemberAnswers out;
    for (std::size_t i = 0; i < items.size(); ++i) {
      PredictionRow row;
      for (const Rows& document : documents_->items)
        row.scores.push_back(nearness(queries.items[i], document));
      take_cost(row, queries, i);
      row.flop += documents_->flop / static_cast<double>(task_.items.size());
      row.milliseconds += documents_->milliseconds / static_cast<double>(task_.items.size());
      out.rows.push_back(std::move(row));
    }
    return out;
  }

  const EvaluationHost& host_;
  const Task& task_;
  ModelHandle model_;
  std::optional<Embedded> documents_;
};

}  // namespace

std::unique_ptr<MemberCalls> embedding_calls(const EvaluationHost& host, const Task& task,
                                             ModelHandle model) {
  return std::make_unique<EmbeddingCalls>(host, task, std::move(model));
}

}  // namespace consort
