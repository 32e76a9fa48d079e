#include "agents/calls/ensemble/unite.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "agents/calls/ensemble/doubt_values.h"
#include "agents/calls/ensemble/side_by_side.h"
#include "agents/calls/ensemble/together.h"
#include "agents/calls/options.h"
#include "agents/ensemble/unite.h"
#include "scheduler/decode/sampler.h"
#include "scheduler/decode/step_signals.h"
#include "scheduler/decode/string_union.h"
#include "scheduler/decode/text_assembler.h"

namespace consort::ensemble_call {
namespace {

constexpr double kLeast = -87.5;  // ln 1e-38: what a member says at least about a string

struct Seat {
  ModelHandle model;
  std::optional<Error> error;
  double temperature = 1;
  bool own = true;  // every string so far was its own likeliest: its tokens are what it would have written
  std::vector<NextString> said;  // this step's likeliest
  std::vector<double> p;         // this step's union
  bool full = false;
  double logprob = 0;
  int agreed = 0;
  Usage usage;
};

Async<NextTokensResult> ask(ModelHandle model, NextTokensRequest request, RequestContext context) {
  auto task = model.next_tokens(std::move(request), std::move(context));
  co_return co_await std::move(task);
}

// What all members have in common.
struct Writing {
  int max_strings = 0;
  bool draw = false;
  std::uint64_t seed = 0;
};

class Union {
 public:
  Union(ModelDirectory& models, const TaskContext& context, Plan plan)
      : models_(models), context_(context), plan_(std::move(plan)), seats_(plan_.members.size()) {}
  boost::asio::awaitable<Result<TaskOutcome>> run();

 private:
  using Wanted = std::vector<std::vector<std::string>>;          // of each member: strings to look up
  using Answers = std::vector<std::optional<NextTokensResult>>;  // of each member; none: not asked, or failed

  Status read_options();
  Status read_member(std::size_t m);
  Status check_members() const;
  boost::asio::awaitable<Status> seat_members();
  boost::asio::awaitable<Result<Answers>> ask_members(int top, Wanted wanted);
  boost::asio::awaitable<Status> ask_for_likeliest();
  boost::asio::awaitable<Status> ask_for_missing();
  boost::asio::awaitable<Status> write();
  Result<NextTokensRequest> question(std::size_t m, int top) const;
  std::vector<double> weights() const;  // of members that are there; sum to 1
  void take_next();
  void stream(bool all);
  Value member_value(std::size_t m, double weight) const;
  Value usage() const;
  Value output();

  ModelDirectory& models_;
  const TaskContext& context_;
  Plan plan_;
  UniteOptions options_;
  Writing writing_;
  std::vector<Seat> seats_;
  std::optional<TextAssembler> text_;
  std::vector<std::string> pieces_;
  std::vector<std::string> union_;  // of this step
  std::string finish_;
  double logprob_ = 0;
  int steps_ = 0;  // strings taken, the end among them
  StepSignals signals_;
};

// What acts on one model's tokens cannot act on a union of strings.
Status Union::read_member(std::size_t m) {
  const Value& generation = plan_.members[m].generation;
  for (const char* key : {"topK", "topP", "minP", "repetitionPenalty", "presencePenalty", "frequencyPenalty",
                          "logitBias", "ignoreEos"})
    if (generation.find(key) != nullptr)
      return fail(ErrorKind::kInvalid, std::string(key) + " does not go with combine: unite",
                  std::string("with/") + key,
                  key == std::string_view("topK") ? "give options/topK"
                                                  : "strings are drawn from their union as it is");
  GenerateRequest read;
  CONSORT_CHECK_OK(read_generation(generation, context_.seed, read));
  if (read.max_tokens < 1)
    return fail(ErrorKind::kInvalid, "at least one string is needed", "with/maxTokens");
  const bool draw = read.sampling.temperature > 0;
  seats_[m].temperature = draw ? read.sampling.temperature : 1;
  if (m == 0) {
    CONSORT_CHECK_OK(check_stops(read.stop));
    writing_ = {read.max_tokens, draw, read.sampling.seed};
    text_.emplace(std::move(read.stop));
  }
  if (draw != writing_.draw)
    return fail(ErrorKind::kInvalid,
                "some members are greedy and some are drawn from, but all write one text", "with/temperature",
                "give all members a temperature above 0, or 0 to the call");
  writing_.max_strings = std::min(writing_.max_strings, read.max_tokens);
  return {};
}

Status Union::read_options() {
  CONSORT_TRY(options, read_unite(plan_.strategy_options));
  options_ = options;
  double sum = 0;
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    CONSORT_CHECK_OK(read_member(m));
    sum += plan_.members[m].weight;
  }
  if (sum > 0 && std::isfinite(sum)) return {};
  return fail(ErrorKind::kInvalid, "the weights must have a finite sum above 0", "with/weights");
}

std::vector<double> Union::weights() const {
  std::vector<double> out(seats_.size(), 0.0);
  double sum = 0;
  for (std::size_t m = 0; m < seats_.size(); ++m)
    if (!seats_[m].error) sum += out[m] = plan_.members[m].weight;
  if (sum > 0)
    for (double& w : out) w /= sum;
  return out;
}

Status Union::check_members() const {
  std::vector<const Error*> errors;
  for (const Seat& seat : seats_) errors.push_back(seat.error ? &*seat.error : nullptr);
  CONSORT_CHECK_OK(enough_members(errors, plan_));
  const std::vector<double> left = weights();
  if (std::any_of(left.begin(), left.end(), [](double w) { return w > 0; })) return {};
  return fail(ErrorKind::kUnavailable, "no member with a weight above 0 is left", "with/weights");
}

boost::asio::awaitable<Status> Union::seat_members() {
  auto waiting = acquire_members(models_, context_, plan_.members);
  take_seats(co_await std::move(waiting), seats_);
  co_return check_members();
}

Result<NextTokensRequest> Union::question(std::size_t m, int top) const {
  NextTokensRequest request;
  CONSORT_TRY(prompt, member_prompt(plan_.members[m], plan_.view, true));
  request.prompt = std::move(prompt);
  request.pieces = pieces_;
  request.own_pieces = seats_[m].own;
  request.top = top;
  return request;
}

// Members of which nothing is wanted are not asked. A member that fails leaves; its seat keeps what it had
// spent.
boost::asio::awaitable<Result<Union::Answers>> Union::ask_members(int top, Wanted wanted) {
  std::vector<Async<NextTokensResult>> tasks;
  std::vector<std::size_t> asked;
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (seats_[m].error || (top == 0 && wanted[m].empty())) continue;
    auto request = question(m, top);
    if (!request) co_return forward_error(request);
    request->wanted = std::move(wanted[m]);
    tasks.push_back(ask(seats_[m].model, std::move(*request), request_context(context_)));
    asked.push_back(m);
  }
  auto waiting = side_by_side<NextTokensResult>(std::move(tasks));
  auto results = co_await std::move(waiting);
  Answers answers(seats_.size());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    Seat& seat = seats_[asked[i]];
    if (!results[i]) {
      seat.error = std::move(results[i].error());
      continue;
    }
    seat.usage += results[i]->usage;
    seat.full = seat.full || results[i]->full;
    answers[asked[i]] = std::move(*results[i]);
  }
  if (Status enough = check_members(); !enough) co_return forward_error(enough);
  co_return answers;
}

// The union of what members with a weight find likeliest.
boost::asio::awaitable<Status> Union::ask_for_likeliest() {
  Wanted none(seats_.size());
  auto asking = ask_members(options_.top, std::move(none));
  auto answers = co_await std::move(asking);
  if (!answers) co_return forward_error(answers);
  const std::vector<double> weight = weights();
  std::vector<std::vector<NextString>> lists;
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (!(*answers)[m]) continue;
    seats_[m].said = std::move((*answers)[m]->top);
    if (weight[m] > 0) lists.push_back(seats_[m].said);
  }
  union_ = string_union(lists);
  co_return Status{};
}

// Every member's distribution over the union, which takes a second question where others brought strings that
// it does not have among its likeliest.
boost::asio::awaitable<Status> Union::ask_for_missing() {
  std::vector<std::map<std::string, double>> known(seats_.size());
  Wanted missing(seats_.size());
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    if (seats_[m].error) continue;
    for (const NextString& s : seats_[m].said) known[m].emplace(s.bytes, s.logprob_nats);
    for (const std::string& s : union_)
      if (!known[m].contains(s)) missing[m].push_back(s);
  }
  auto asking = ask_members(0, missing);
  auto answers = co_await std::move(asking);
  if (!answers) co_return forward_error(answers);
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    Seat& seat = seats_[m];
    if (seat.error) continue;
    for (std::size_t i = 0; i < missing[m].size(); ++i)
      known[m].emplace(missing[m][i], (*answers)[m]->wanted_logprobs[i]);
    std::vector<double> logprobs;
    for (const std::string& s : union_) logprobs.push_back(known[m].at(s));
    seat.p = over_union(logprobs, seat.temperature);
  }
  co_return Status{};
}

// Decides the step and keeps its books.
void Union::take_next() {
  const std::vector<double> weight = weights();
  std::vector<std::vector<double>> rows;
  for (const Seat& seat : seats_) rows.push_back(seat.p);
  const std::vector<double> mixed = mix_over_union(rows, weight);
  const bool anything = std::any_of(mixed.begin(), mixed.end(), [](double p) { return p > 0; });
  if (!anything) {
    finish_ = "length";  // nobody gives anything to any string
    return;
  }
  const double u = counter_uniform(writing_.seed, static_cast<std::uint64_t>(steps_));
  const std::size_t next = writing_.draw ? drawn_of(mixed, u) : likeliest_of(mixed);
  const std::string& taken = union_[next];
  const std::vector<std::span<const double>> views(rows.begin(), rows.end());
  signals_ += measure_step(mixed, views, weight);
  logprob_ += std::log(mixed[next]);
  ++steps_;
  for (Seat& seat : seats_) {
    if (seat.error) continue;
    seat.logprob += std::max(std::log(seat.p[next]), kLeast);
    const bool first = !seat.said.empty() && seat.said.front().bytes == taken;
    seat.agreed += first ? 1 : 0;
    seat.own = seat.own && first;
  }
  if (taken.empty()) {
    finish_ = "stop";
    return;
  }
  pieces_.push_back(taken);
  if (text_->add(steps_, taken))
    finish_ = "stop";
  else if (steps_ >= writing_.max_strings)
    finish_ = "length";
}

boost::asio::awaitable<Status> Union::write() {
  while (true) {
    auto likeliest = ask_for_likeliest();
    if (auto asked = co_await std::move(likeliest); !asked) co_return forward_error(asked);
    // A member without room for the next string ends the text for all.
    const bool full =
        std::any_of(seats_.begin(), seats_.end(), [](const Seat& seat) { return !seat.error && seat.full; });
    if (full) {
      finish_ = "length";
    } else {
      auto missing = ask_for_missing();
      if (auto asked = co_await std::move(missing); !asked) co_return forward_error(asked);
      take_next();
    }
    stream(!finish_.empty());
    if (!finish_.empty()) co_return Status{};
  }
}

void Union::stream(bool all) {
  if (!context_.emit) return;
  const TextAssembler::Piece piece = text_->take(all);
  if (!piece.text.empty()) context_.emit(Value::object({{"text", text_of(piece.text)}}));
}

Value Union::member_value(std::size_t m, double weight) const {
  const Seat& seat = seats_[m];
  const double steps = std::max(1, steps_);
  return Value::object({{"name", plan_.members[m].name},
                        {"answer", seat.error ? Value() : Value(text_of(text_->text()))},
                        {"score", seat.error ? 0 : seat.logprob / steps},
                        {"weight", weight},
                        {"agreed", seat.error ? 0 : seat.agreed / steps},
                        {"tokens", seat.usage.prompt_tokens - seat.usage.cached_tokens},
                        {"milliseconds", seat.usage.prefill_ms + seat.usage.decode_ms},
                        {"flop", seat.usage.flop},
                        {"bytes", seat.usage.bytes},
                        {"error", seat.error ? Value(seat.error->what) : Value()}});
}

Value Union::usage() const {
  return members_usage(plan_.members, [this](std::size_t m) { return seats_[m].usage; });
}

Value Union::output() {
  const std::vector<double> weight = weights();
  Value::Array members, missing;
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    members.push_back(member_value(m, weight[m]));
    if (seats_[m].error) missing.emplace_back(plan_.members[m].name);
  }
  const std::string written = text_of(text_->text());
  const StepSignals mean = signals_ / std::max(1, steps_);
  return Value::object({{"text", trimmed(written)},
                        {"answer", written},
                        {"finishReason", finish_},
                        {"members", Value::array(std::move(members))},
                        {"combined", Value::object({{"strategy", std::string(kUnite)},
                                                    {"tie", Value()},
                                                    {"topK", options_.top},
                                                    {"strings", static_cast<int>(pieces_.size())},
                                                    {"bytes", static_cast<int>(text_->text().size())},
                                                    {"logprob", logprob_}})},
                        {"missing", Value::array(std::move(missing))},
                        {"signals", signals_value(mean, plan_.signals)},
                        {"usage", usage()}});
}

boost::asio::awaitable<Result<TaskOutcome>> Union::run() {
  if (auto read = read_options(); !read) co_return forward_error(read);
  auto seating = seat_members();
  if (auto seated = co_await std::move(seating); !seated) co_return forward_error(seated);
  auto writing = write();
  if (auto written = co_await std::move(writing); !written) co_return forward_error(written);
  co_return TaskOutcome{output(), usage()};
}

}  // namespace

boost::asio::awaitable<Result<TaskOutcome>> run_unite(ModelDirectory& models, const TaskContext& context,
                                                      Plan plan) {
  Union together(models, context, std::move(plan));
  auto running = together.run();
  co_return co_await std::move(running);
}

}  // namespace consort::ensemble_call
