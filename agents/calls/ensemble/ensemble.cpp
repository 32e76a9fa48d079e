// call: ensemble. Several members answer or judge side by side, a strategy of agents/ensemble combines them;
// or they write one text together (byteMixture, tokenMixture, unite).
#include <algorithm>
#include <limits>

#include "agents/calls/ensemble/items.h"
#include "agents/calls/ensemble/members.h"
#include "agents/calls/ensemble/mixture.h"
#include "agents/calls/ensemble/side_by_side.h"
#include "agents/calls/ensemble/token_mixture.h"
#include "agents/calls/ensemble/unite.h"
#include "agents/calls/model_call.h"
#include "agents/ensemble/token_mixture.h"
#include "agents/ensemble/unite.h"

namespace consort {
namespace {

using namespace ensemble_call;

constexpr std::string_view kSchema =
#include "agents/calls/ensemble/schema.json.inc"
    ;

// What one member did so far. A member with an error takes no further part.
struct Seat {
  ModelHandle model;
  std::optional<Error> error;
  std::string answer;
  double answer_logprob = 0;
  std::vector<CandidateScore> scores;
  Usage usage;
};

// Requests as coroutines of their own: handle, request and context live in their frames.
Async<GenerateResult> generate(ModelHandle model, GenerateRequest request, RequestContext context,
                               TextSink sink) {
  auto task = model.generate(std::move(request), std::move(context), std::move(sink));
  co_return co_await std::move(task);
}
Async<ScoreResult> score(ModelHandle model, ScoreRequest request, RequestContext context) {
  auto task = model.score(std::move(request), std::move(context));
  co_return co_await std::move(task);
}

// Tokens of all members on one stream, each chunk with its member's name.
TextSink member_tokens(const TaskContext& context, const std::string& member) {
  if (!context.emit) return {};
  return [emit = context.emit, member](std::string_view text, const std::vector<TokenId>&) {
    emit(Value::object({{"member", member}, {"text", text_of(text)}}));
  };
}

// One ensemble call from its options to its output.
class Session {
 public:
  Session(ModelDirectory& models, const TaskContext& context, Plan plan)
      : models_(models), context_(context), plan_(std::move(plan)), seats_(plan_.members.size()) {}
  boost::asio::awaitable<Result<TaskOutcome>> run();

 private:
  boost::asio::awaitable<Status> seat_members();
  boost::asio::awaitable<Status> ask_for_answers();
  boost::asio::awaitable<Status> ask_for_scores();
  boost::asio::awaitable<std::vector<Result<ScoreResult>>> score_under(Value view, bool is_main);
  void keep_scores(Seat& seat, const ScoreResult& scored, const ScoreResult* contrast);
  Result<GenerateRequest> generation(std::size_t m) const;
  Result<ScoreRequest> scoring(std::size_t m, const Value& view, bool is_main) const;
  Status check_members() const;
  PredictionTable table() const;
  Value output(const EnsembleResult& result) const;
  Value usage() const;

  ModelDirectory& models_;
  const TaskContext& context_;
  Plan plan_;
  std::vector<Seat> seats_;
};

// Members fail hard unless errors are to be reported; a call that was stopped always ends.
Status Session::check_members() const {
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (!seats_[m].error) continue;
    const Error& error = *seats_[m].error;
    if (plan_.policy.report_errors && error.kind != ErrorKind::kCancelled) continue;
    return tl::unexpected<Error>(member_error(error, plan_.members[m]));
  }
  return {};
}

boost::asio::awaitable<Status> Session::seat_members() {
  auto waiting = acquire_members(models_, context_, plan_.members);
  take_seats(co_await std::move(waiting), seats_);
  co_return check_members();
}

Result<GenerateRequest> Session::generation(std::size_t m) const {
  GenerateRequest request;
  CONSORT_TRY(prompt, member_prompt(plan_.members[m], plan_.view, true));
  request.prompt = std::move(prompt);
  // Members that are the same model draw different numbers; a member's numbers do not depend on the others.
  const std::uint64_t seed = context_.seed + m * 0x9E3779B97F4A7C15ull;
  CONSORT_CHECK_OK(read_generation(plan_.members[m].generation, seed, request));
  return request;
}

boost::asio::awaitable<Status> Session::ask_for_answers() {
  std::vector<Async<GenerateResult>> tasks;
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (seats_[m].error) {
      tasks.push_back(failed<GenerateResult>(*seats_[m].error));
      continue;
    }
    auto request = generation(m);
    if (!request) co_return forward_error(request);  // a mistake in the options, not a member's failure
    tasks.push_back(generate(seats_[m].model, std::move(*request), request_context(context_),
                             member_tokens(context_, plan_.members[m].name)));
  }
  auto waiting = side_by_side<GenerateResult>(std::move(tasks));
  auto results = co_await std::move(waiting);
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    Seat& seat = seats_[m];
    if (!results[m]) {
      seat.error = std::move(results[m].error());
    } else if (results[m]->finish_reason == "cancelled") {
      seat.error = Error{ErrorKind::kCancelled, "the generation was cancelled", context_.task_pointer, {}};
    } else {
      seat.answer = text_of(results[m]->text);
      seat.answer_logprob = results[m]->logprob_nats;
      seat.usage += results[m]->usage;
    }
  }
  co_return check_members();
}

Result<ScoreRequest> Session::scoring(std::size_t m, const Value& view, bool is_main) const {
  ScoreRequest request;
  CONSORT_TRY(prompt, member_prompt(plan_.members[m], view, is_main));
  std::string join =
      prompt.text && !prompt.text->empty() && prompt.text->back() != '\n' && prompt.text->back() != ' ' ? " "
                                                                                                        : "";
  if (plan_.join) join = *plan_.join;
  request.prompt = std::move(prompt);
  for (const Candidate& candidate : plan_.candidates)
    request.candidates.push_back(join + candidate.text + plan_.ending);
  return request;
}

boost::asio::awaitable<std::vector<Result<ScoreResult>>> Session::score_under(Value view, bool is_main) {
  std::vector<Async<ScoreResult>> tasks;
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (seats_[m].error) {
      tasks.push_back(failed<ScoreResult>(*seats_[m].error));
      continue;
    }
    auto request = scoring(m, view, is_main);
    if (!request) {
      tasks.push_back(failed<ScoreResult>(std::move(request.error())));
      continue;
    }
    tasks.push_back(score(seats_[m].model, std::move(*request), request_context(context_)));
  }
  auto waiting = side_by_side<ScoreResult>(std::move(tasks));
  co_return co_await std::move(waiting);
}

// With a contrast a candidate's score is ln p(candidate | evidence) - ln p(candidate | no evidence), the
// domain-conditional PMI of Holtzman et al. 2021. It is a score of the whole text, so it counts as one byte,
// and it is given relative to the member's best, so that it is at most 0 as the strategies want it.
void Session::keep_scores(Seat& seat, const ScoreResult& scored, const ScoreResult* contrast) {
  double best = -std::numeric_limits<double>::infinity();
  for (std::size_t c = 0; c < plan_.candidates.size(); ++c) {
    const ScoredText& text = scored.candidates[c];
    CandidateScore kept{text.logprob_nats, plan_.candidates[c].text.size(), text.tokens};
    if (plan_.whole_text || contrast != nullptr) kept.bytes = 1;
    if (contrast != nullptr) kept.logprob_nats -= contrast->candidates[c].logprob_nats;
    best = std::max(best, kept.logprob_nats);
    seat.scores.push_back(kept);
  }
  if (contrast != nullptr)
    for (CandidateScore& kept : seat.scores) kept.logprob_nats -= best;
  seat.usage += scored.usage;
  if (contrast != nullptr) seat.usage += contrast->usage;
}

boost::asio::awaitable<Status> Session::ask_for_scores() {
  for (std::size_t m = 0; m < seats_.size(); ++m)
    if (plan_.propose && !seats_[m].error)
      add_candidate(plan_.candidates, seats_[m].answer, plan_.members[m].name);
  if (plan_.candidates.empty())
    co_return fail(ErrorKind::kInvalid, "there are no candidates: none were given and no member wrote one",
                   "with");
  const bool own = plan_.score_view.is_null();
  auto asking = score_under(own ? plan_.view : plan_.score_view, own);
  auto results = co_await std::move(asking);
  std::vector<Result<ScoreResult>> contrasts;
  if (!plan_.contrast_view.is_null()) {
    auto contrasting = score_under(plan_.contrast_view, false);
    contrasts = co_await std::move(contrasting);
  }
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (!results[m])
      seats_[m].error = std::move(results[m].error());
    else if (!contrasts.empty() && !contrasts[m])
      seats_[m].error = std::move(contrasts[m].error());
    else
      keep_scores(seats_[m], *results[m], contrasts.empty() ? nullptr : &*contrasts[m]);
  }
  co_return check_members();
}

PredictionTable Session::table() const {
  PredictionTable table;
  for (const Candidate& candidate : plan_.candidates) table.candidates.push_back(candidate.text);
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    const Seat& seat = seats_[m];
    MemberPrediction p;
    p.name = plan_.members[m].name;
    p.weight = plan_.members[m].weight;
    if (plan_.propose && !seat.error) {
      p.answer = seat.answer;
      p.answer_logprob_nats = seat.answer_logprob;
      p.answer_bytes = seat.answer.size();
    }
    if (!seat.error) p.scores = seat.scores;
    p.cost = {seat.usage.prompt_tokens + seat.usage.completion_tokens,
              seat.usage.prefill_ms + seat.usage.decode_ms, seat.usage.flop, seat.usage.bytes};
    p.error = seat.error;
    table.members.push_back(std::move(p));
  }
  return table;
}

Value Session::usage() const {
  return members_usage(plan_.members, [this](std::size_t m) { return seats_[m].usage; });
}

Value Session::output(const EnsembleResult& result) const {
  Value out = result.to_value(plan_.signals);
  Value::Array members = out.get("members").as_array();
  for (std::size_t m = 0; m < members.size(); ++m)
    if (plan_.propose && plan_.need == PredictionNeed::kScores && !seats_[m].error)
      members[m] = members[m].with("wrote", seats_[m].answer);
  Value::Array ranking;
  for (Value row : out.get("ranking").as_array()) {
    if (const Value* place = row.find("candidate"); place != nullptr && place->is_integer()) {
      Value::Array from;
      for (const auto& name : plan_.candidates[static_cast<std::size_t>(place->as_integer())].from)
        from.emplace_back(name);
      row = row.with("from", Value::array(std::move(from)));
    }
    ranking.push_back(std::move(row));
  }
  Value::Object front{{"text", trimmed(result.answer)}};
  if (plan_.task == "choose") {
    Value::Array labels;
    for (const RankedAnswer& answer : result.ranking)
      labels.push_back(Value::object({{"label", answer.answer}, {"score", answer.probability}}));
    front.emplace_back("labels", Value::array(std::move(labels)));
  }
  for (const auto& [key, value] : out.as_object()) {
    if (key == "members")
      front.emplace_back(key, Value::array(members));
    else if (key == "ranking")
      front.emplace_back(key, Value::array(ranking));
    else
      front.emplace_back(key, value);
  }
  front.emplace_back("usage", usage());
  return Value::object(std::move(front));
}

boost::asio::awaitable<Result<TaskOutcome>> Session::run() {
  auto seating = seat_members();
  if (auto seated = co_await std::move(seating); !seated) co_return forward_error(seated);
  if (plan_.propose) {
    auto asking = ask_for_answers();
    if (auto asked = co_await std::move(asking); !asked) co_return forward_error(asked);
  }
  if (plan_.need == PredictionNeed::kScores) {
    auto asking = ask_for_scores();
    if (auto asked = co_await std::move(asking); !asked) co_return forward_error(asked);
  }
  auto result = combine_predictions(plan_.strategy, table(), plan_.strategy_options, plan_.policy);
  if (!result) co_return forward_error(result);
  co_return TaskOutcome{output(*result), usage()};
}

class EnsembleCall final : public CallHandler {
 public:
  explicit EnsembleCall(CallServices services) : CallHandler(services, "ensemble", kSchema) {}

  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override {
    if (services_.models == nullptr) co_return not_connected("ensemble", "models");
    const Value task = with.get("task");
    if (task == Value("classify") || task == Value("embed")) {
      auto items = run_item_ensemble(services_, context, std::move(with));
      co_return co_await std::move(items);
    }
    auto plan = read_plan(with, context.agents);
    if (!plan) co_return forward_error(plan);
    if (plan->mixture) {
      auto mixture = run_byte_mixture(*services_.models, context, std::move(*plan));
      co_return co_await std::move(mixture);
    }
    if (plan->strategy == kTokenMixture) {
      auto mixture = run_token_mixture(*services_.models, context, std::move(*plan));
      co_return co_await std::move(mixture);
    }
    if (plan->strategy == kUnite) {
      auto together = run_unite(*services_.models, context, std::move(*plan));
      co_return co_await std::move(together);
    }
    Session session(*services_.models, context, std::move(*plan));
    auto running = session.run();
    co_return co_await std::move(running);
  }
};

}  // namespace

std::shared_ptr<TaskHandler> make_ensemble_call(CallServices services) {
  return std::make_shared<EnsembleCall>(services);
}

}  // namespace consort
