#include <cmath>
#include <utility>

#include "agents/evaluation/run/calls_parts.h"
#include "scheduler/host/wait_on.h"
#include "scheduler/value/digest.h"

namespace consort {
namespace {

constexpr double kSampleTemperature = 0.7, kSampleTopP = 0.95;  // of variants above 0 of an answer
constexpr std::size_t kItemsAtATime = 8;                        // one step of the lane serves them all

Async<ScoreResult> score(ModelHandle model, ScoreRequest request, RequestContext context) {
  auto asked = model.score(std::move(request), std::move(context));
  co_return co_await std::move(asked);
}
Async<GenerateResult> generate(ModelHandle model, GenerateRequest request, RequestContext context) {
  auto asked = model.generate(std::move(request), std::move(context));
  co_return co_await std::move(asked);
}
Async<ScoreTextResult> score_text(ModelHandle model, ScoreTextRequest request, RequestContext context) {
  auto asked = model.score_text(std::move(request), std::move(context));
  co_return co_await std::move(asked);
}
Async<ScoreBytesResult> score_bytes(ModelHandle model, ScoreBytesRequest request, RequestContext context) {
  auto asked = model.score_bytes(std::move(request), std::move(context));
  co_return co_await std::move(asked);
}

void take_cost(PredictionRow& row, const Usage& usage) {
  row.tokens = usage.prompt_tokens + usage.completion_tokens;
  row.milliseconds = usage.prefill_ms + usage.decode_ms;
  row.flop = usage.flop;
}

class LanguageCalls final : public MemberCalls {
 public:
  LanguageCalls(const EvaluationHost& host, const Task& task, ModelHandle model)
      : host_(host), task_(task), model_(std::move(model)) {}

  std::size_t block() const override { return task_.kind == TaskKind::kText ? 1 : kItemsAtATime; }

  Result<std::string> prompt_hash(const TaskItem& item, int variant) const override {
    Value::Object all{{"way", "language"}, {"kind", task_kind_name(task_.kind)}};
    if (task_.kind == TaskKind::kText) {
      CONSORT_TRY(text, whole_text(item));
      all.emplace_back("text", bytes_digest(text));
      all.emplace_back("context", task_.context);
      all.emplace_back("covers", by_bytes());
      if (!by_bytes()) all.emplace_back("doubt", true);
      if (variant > 0) all.emplace_back("leadIn", *lead_in(wording(task_, variant)));
      return value_digest(Value::object(std::move(all)));
    }
    all.emplace_back("prompt", fill_prompt(wording(task_, variant), item));
    all.emplace_back("chat", task_.chat);
    if (task_.kind == TaskKind::kAnswer) {
      all.emplace_back("maxTokens", task_.max_tokens);
      all.emplace_back("sampled", variant > 0);
      for (const std::string& stop : task_.stop) all.emplace_back("stop:" + stop, true);
    } else {
      Value::Array options;
      for (const std::string& option : continuations(item)) options.emplace_back(option);
      all.emplace_back("options", Value::array(std::move(options)));
    }
    return value_digest(Value::object(std::move(all)));
  }

  Result<MemberAnswers> ask(const std::vector<const TaskItem*>& items, int variant,
                            std::uint64_t seed) override {
    switch (task_.kind) {
      case TaskKind::kAnswer:
        return ask_answers(items, variant, seed);
      case TaskKind::kText:
        return ask_texts(items, variant);
      default:
        return ask_choices(items, variant);
    }
  }

 private:
  bool by_bytes() const { return task_.pieces == TextPieces::kBytes; }

  // The options behind the separator; a chat template ends with its own.
  std::vector<std::string> continuations(const TaskItem& item) const {
    std::vector<std::string> out;
    for (const std::string& option : task_.kind == TaskKind::kLabels ? task_.labels : item.options)
      out.push_back(task_.chat ? option : task_.separator + option);
    return out;
  }

  Prompt prompt(const TaskItem& item, int variant) const {
    Prompt p;
    std::string text = fill_prompt(wording(task_, variant), item);
    if (task_.chat) {
      p.messages = {{"user", std::move(text)}};
      p.plain_template = true;  // for members without a template
    } else {
      p.text = std::move(text);
      p.parse_special = false;
    }
    return p;
  }

  Result<std::string> whole_text(const TaskItem& item) const {
    if (!item.from_file) return item.text;
    return read_item_file(task_, item.text);
  }

  Result<MemberAnswers> ask_choices(const std::vector<const TaskItem*>& items, int variant) {
    std::vector<Async<ScoreResult>> tasks;
    for (const TaskItem* item : items) {
      ScoreRequest request;
      request.prompt = prompt(*item, variant);
      request.candidates = continuations(*item);
      request.joint = !task_.chat;
      request.bypass_prefix_cache = true;
      tasks.push_back(score(model_, std::move(request), host_.request()));
    }
    auto results = wait_on_all(host_.io, std::move(tasks));
    MemberAnswers out;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!results[i]) return tl::unexpected<Error>(of_item(std::move(results[i].error()), *items[i]));
      PredictionRow row;
      std::vector<double> judged;
      for (const ScoredText& c : results[i]->candidates) {
        row.scores.push_back(c.logprob_nats);
        row.bytes.push_back(static_cast<std::int64_t>(c.bytes));
        judged.push_back(task_.per_byte && c.bytes > 0 ? c.logprob_nats / static_cast<double>(c.bytes)
                                                       : c.logprob_nats);
      }
      row.entropy = entropy_of_scores(judged);
      take_cost(row, results[i]->usage);
      out.rows.push_back(std::move(row));
    }
    return out;
  }

  Result<MemberAnswers> ask_answers(const std::vector<const TaskItem*>& items, int variant,
                                    std::uint64_t seed) {
    std::vector<Async<GenerateResult>> tasks;
    for (const TaskItem* item : items) {
      GenerateRequest request;
      request.prompt = prompt(*item, variant);
      request.max_tokens = task_.max_tokens;
      request.stop = task_.stop;
      request.sampling.temperature = variant == 0 ? 0 : kSampleTemperature;
      request.sampling.top_p = variant == 0 ? 1 : kSampleTopP;
      request.sampling.seed = seed;
      request.bypass_prefix_cache = true;
      tasks.push_back(generate(model_, std::move(request), host_.request()));
    }
    auto results = wait_on_all(host_.io, std::move(tasks));
    MemberAnswers out;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!results[i]) return tl::unexpected<Error>(of_item(std::move(results[i].error()), *items[i]));
      PredictionRow row;
      row.answer_raw = results[i]->text;
      row.scores = {results[i]->logprob_nats};
      row.bytes = {static_cast<std::int64_t>(results[i]->text.size())};
      take_cost(row, results[i]->usage);
      out.rows.push_back(std::move(row));
    }
    return out;
  }

  // What members of any tokenizers can be mixed by: every byte's probability, or that of the tokens with
  // their ends and what was expected there. Models that cannot say this give the likelihood of their tokens.
  Result<MemberAnswers> ask_texts(const std::vector<const TaskItem*>& items, int variant) {
    MemberAnswers out;
    for (const TaskItem* item : items) {
      CONSORT_TRY(text, whole_text(*item));
      ScoreBytesRequest request;
      request.text = text;
      request.context = task_.context;
      request.covers = by_bytes();
      request.doubt = !by_bytes();
      if (variant > 0) {
        request.prompt.emplace().text = *lead_in(wording(task_, variant));
        request.prompt->parse_special = false;
      }
      auto result = wait_on(host_.io, score_bytes(model_, std::move(request), host_.request()));
      if (!result && variant == 0 && result.error().kind == ErrorKind::kUnsupported) {
        CONSORT_TRY(row, ask_tokens(std::move(text), *item));
        out.rows.push_back(std::move(row));
        continue;
      }
      if (!result) return tl::unexpected<Error>(of_item(std::move(result.error()), *item));
      PredictionRow row = row_of_bytes(*result, text.size());
      if (!by_bytes()) row.text_tokens = tokens_of(std::move(*result));
      out.rows.push_back(std::move(row));
    }
    return out;
  }

  static TextTokens tokens_of(ScoreBytesResult result) {
    const auto floats = [](const std::vector<double>& list) {
      return std::vector<float>(list.begin(), list.end());
    };
    return {std::move(result.token_ends), std::move(result.token_logprobs), floats(result.entropies),
            floats(result.firsts),        floats(result.seconds),           std::move(result.guesses)};
  }

  // scores: of the tokens; bytes: those that they cover, and all.
  static PredictionRow row_of_bytes(const ScoreBytesResult& result, std::size_t size) {
    PredictionRow row;
    double sum = 0;
    std::int64_t scored = 0, begin = 0;
    for (std::size_t t = 0; t < result.token_logprobs.size(); ++t) {
      if (!std::isnan(result.token_logprobs[t])) {
        sum += result.token_logprobs[t];
        scored += result.token_ends[t] - begin;
      }
      begin = result.token_ends[t];
    }
    row.scores = {sum};
    row.bytes = {scored, static_cast<std::int64_t>(size)};
    row.byte_logprobs.assign(result.byte_logprobs.begin(), result.byte_logprobs.end());
    take_cost(row, result.usage);
    return row;
  }

  Result<PredictionRow> ask_tokens(std::string text, const TaskItem& item) {
    auto result = wait_on(
        host_.io, score_text(model_, ScoreTextRequest{std::move(text), task_.context}, host_.request()));
    if (!result) return tl::unexpected<Error>(of_item(std::move(result.error()), item));
    PredictionRow row;
    row.scores = {-result->nll_nats};
    row.bytes = {static_cast<std::int64_t>(result->bytes), static_cast<std::int64_t>(result->file_bytes)};
    take_cost(row, result->usage);
    row.tokens = result->tokens;
    return row;
  }

  const EvaluationHost& host_;
  const Task& task_;
  ModelHandle model_;
};

}  // namespace

std::unique_ptr<MemberCalls> language_calls(const EvaluationHost& host, const Task& task, ModelHandle model) {
  return std::make_unique<LanguageCalls>(host, task, std::move(model));
}

}  // namespace consort
