#include "agents/calls/ensemble/mixture.h"

#include <algorithm>
#include <cmath>

#include "agents/calls/ensemble/byte_seats.h"
#include "agents/calls/ensemble/doubt_values.h"
#include "agents/calls/ensemble/speculation.h"
#include "agents/calls/options.h"
#include "agents/ensemble/byte_mixture.h"

namespace consort::ensemble_call {
namespace {

// Text goes out in pieces of at least so many bytes: an event for every byte would be mostly envelope.
constexpr std::size_t kPieceBytes = 6;

// Temperature, seed and stop strings of the call; what acts on tokens alone cannot act on bytes.
struct Drawing {
  double temperature = 0;  // 0: greedy
  std::uint64_t seed = 0;
  std::vector<std::string> stop;
};
Result<Drawing> read_drawing(const Value& generation, std::uint64_t seed) {
  for (const char* key : {"maxTokens", "topK", "topP", "minP", "repetitionPenalty", "presencePenalty",
                          "frequencyPenalty", "logitBias", "ignoreEos"})
    if (generation.find(key) != nullptr)
      return fail(ErrorKind::kInvalid, std::string(key) + " does not go with combine: byteMixture",
                  std::string("with/") + key,
                  key == std::string_view("maxTokens") ? "give options/maxBytes"
                                                       : "members write bytes, drawn from the mixture as it is");
  GenerateRequest read;
  CONSORT_CHECK_OK(read_generation(generation, seed, read));
  return Drawing{read.sampling.temperature, read.sampling.seed, std::move(read.stop)};
}

class Mixture {
 public:
  Mixture(ModelDirectory& models, const TaskContext& context, Plan plan)
      : context_(context), plan_(std::move(plan)), seats_(models, context, plan_) {}
  boost::asio::awaitable<Result<TaskOutcome>> run();

 private:
  Status read_options();
  Status find_drafter();
  Result<OpenBytesRequest> opening(std::size_t m) const;
  boost::asio::awaitable<Status> open_sessions();
  boost::asio::awaitable<Status> write();
  void stream(bool all);
  Value member_value(std::size_t m, const ByteText& text, double weight) const;
  Value usage() const;
  Value output();

  const TaskContext& context_;
  Plan plan_;
  ByteMixtureOptions options_;
  std::vector<Drawing> drawings_;  // of each member
  ByteSeats seats_;
  std::size_t drafter_ = 0;
  SpeculationCounts counts_;
  std::optional<ByteSearch> search_;
  std::string pending_;  // text not streamed yet
};

Status Mixture::read_options() {
  CONSORT_TRY(options, read_byte_mixture(plan_.strategy_options));
  options_ = std::move(options);
  if (plan_.policy.report_errors && has_roles(options_.search.combiner.rule))
    return fail(ErrorKind::kInvalid, "a member with a role cannot be missed", "with/onMemberError",
                "leave onMemberError: report out");
  for (const Member& member : plan_.members) {
    CONSORT_TRY(drawing, read_drawing(member.generation, context_.seed));
    drawings_.push_back(std::move(drawing));
    options_.search.combiner.weights.push_back(member.weight);
  }
  // Members have their own temperatures; whether bytes are drawn at all is the call's.
  const auto cold = static_cast<std::size_t>(std::count_if(
      drawings_.begin(), drawings_.end(), [](const Drawing& d) { return d.temperature == 0; }));
  if (cold != 0 && cold != drawings_.size())
    return fail(ErrorKind::kInvalid, "some members are greedy and some are drawn from, but all write one text",
                "with/temperature", "give all members a temperature above 0, or 0 to the call");
  options_.search.draw = cold == 0;
  options_.search.seed = drawings_.front().seed;
  options_.search.stop = drawings_.front().stop;
  options_.search.signals_at = plan_.signals_at;
  CONSORT_TRY(search, ByteSearch::create(options_.search, seats_.size()));
  search_.emplace(std::move(search));
  return find_drafter();
}

Status Mixture::find_drafter() {
  if (!options_.speculation) return {};
  const std::string& wanted = options_.speculation->drafter;
  if (plan_.members.size() < 2)
    return fail(ErrorKind::kInvalid, "speculation takes a drafter and somebody who verifies",
                "with/options/speculate", "give a second member, or leave speculate out");
  for (std::size_t m = 0; m < plan_.members.size() && !wanted.empty(); ++m)
    if (plan_.members[m].name == wanted) {
      drafter_ = m;
      return {};
    }
  if (wanted.empty()) return {};
  return fail(ErrorKind::kInvalid, "no member is called '" + wanted + "'", "with/options/speculate/drafter",
              "give a member's name");
}

Result<OpenBytesRequest> Mixture::opening(std::size_t m) const {
  OpenBytesRequest request;
  CONSORT_TRY(prompt, member_prompt(plan_.members[m], plan_.view, true));
  request.heal = prompt.text ? options_.heal : 0;
  request.prompt = std::move(prompt);
  request.max_bytes = options_.search.max_bytes;
  if (options_.speculation) {
    request.rewind = options_.speculation->bytes;
    request.max_bytes += request.rewind;
  }
  request.max_strands = options_.search.beams;
  request.cover = options_.cover;
  if (options_.search.draw) request.cover.temperature = drawings_[m].temperature;
  return request;
}

boost::asio::awaitable<Status> Mixture::open_sessions() {
  std::vector<OpenBytesRequest> requests;
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    auto request = opening(m);
    if (!request) co_return forward_error(request);
    requests.push_back(std::move(*request));
  }
  auto waiting = seats_.open(std::move(requests));
  co_return co_await std::move(waiting);
}

boost::asio::awaitable<Status> Mixture::write() {
  if (options_.speculation) {
    auto writing = write_ahead(seats_, *search_, *options_.speculation, drafter_, options_.search.max_bytes,
                               counts_, [this] { stream(search_->finished()); });
    co_return co_await std::move(writing);
  }
  while (true) {
    seats_.drop_missing(*search_);
    std::vector<std::span<const double>> rows(seats_.size());
    for (std::size_t m = 0; m < seats_.size(); ++m)
      if (!seats_[m].error) rows[m] = seats_[m].last.distributions;
    const auto steps = search_->next(rows);
    if (seats_.full() && !search_->finished()) search_->end_by_length();
    stream(search_->finished());
    if (search_->finished()) co_return Status{};
    NextBytesRequest request;
    request.steps = steps;
    auto asking = seats_.ask({seats_.size(), request});
    if (auto asked = co_await std::move(asking); !asked) co_return forward_error(asked);
  }
}

void Mixture::stream(bool all) {
  if (!context_.emit || options_.search.beams > 1) return;
  pending_ += search_->best().text.take(all).text;
  if (pending_.empty() || (!all && pending_.size() < kPieceBytes)) return;
  context_.emit(Value::object({{"text", text_of(pending_)}}));
  pending_.clear();
}

Value Mixture::member_value(std::size_t m, const ByteText& text, double weight) const {
  const ByteSeat& seat = seats_[m];
  const double steps = std::max(1, text.steps);
  return Value::object(
      {{"name", plan_.members[m].name},
       {"answer", seat.error ? Value() : Value(text_of(text.text.text()))},
       {"score", seat.error ? 0 : text.member_logprobs[m] / steps},
       {"weight", weight},
       {"agreed", seat.error ? 0 : text.agreed[m] / steps},
       {"tokens", seat.last.usage.prompt_tokens + static_cast<int>(seat.last.forwards)},
       {"forwards", seat.last.forwards},
       {"passes", seat.last.passes},
       {"healed", seat.last.healed},
       {"milliseconds", seat.last.usage.prefill_ms + seat.last.usage.decode_ms},
       {"flop", seat.last.usage.flop},
       {"bytes", seat.last.usage.bytes},
       {"error", seat.error ? Value(seat.error->what) : Value()}});
}

Value Mixture::usage() const {
  return members_usage(plan_.members, [this](std::size_t m) { return seats_[m].last.usage; });
}

// [members][steps], to four digits.
Value trajectory_value(const ByteText& text) {
  Value::Array members(text.member_logprobs.size());
  for (std::size_t m = 0; m < members.size(); ++m) {
    Value::Array weights;
    for (const auto& step : text.trajectory)
      weights.emplace_back(std::round(static_cast<double>(step[m]) * 1e4) / 1e4);
    members[m] = Value::array(std::move(weights));
  }
  return Value::array(std::move(members));
}

Value Mixture::output() {
  const ByteText& text = search_->best();
  const std::vector<double> weights = text.combiner.weights();
  Value::Array members, missing, readings;
  for (std::size_t m = 0; m < seats_.size(); ++m) {
    members.push_back(member_value(m, text, weights[m]));
    if (seats_[m].error) missing.emplace_back(plan_.members[m].name);
  }
  for (const auto& reading : text.readings) {
    Value::Object row{{"byte", reading.byte}};
    const Value read = signals_value(reading.mean, plan_.signals);
    for (const auto& entry : read.as_object()) row.push_back(entry);
    readings.push_back(Value::object(std::move(row)));
  }
  const CombinerOptions& combiner = options_.search.combiner;
  Value combined = Value::object({{"strategy", std::string(kByteMixture)},
                                  {"tie", Value()},
                                  {"pool", std::string(combine_rule_name(combiner.rule))}});
  if (combiner.rule == CombineRule::kBayes) combined = combined.with("alpha", combiner.alpha);
  combined = combined.with("bytes", text.bytes).with("logprob", text.logprob);
  if (options_.speculation)
    combined = combined.with("speculation", Value::object({{"drafter", plan_.members[drafter_].name},
                                                           {"rounds", counts_.rounds},
                                                           {"drafted", counts_.drafted},
                                                           {"kept", counts_.kept}}));
  const std::string written = text_of(text.text.text());
  Value out = Value::object({{"text", trimmed(written)},
                             {"answer", written},
                             {"finishReason", text.finish},
                             {"members", Value::array(std::move(members))},
                             {"combined", std::move(combined)},
                             {"missing", Value::array(std::move(missing))},
                             {"signals", signals_value(text.mean(), plan_.signals)}});
  if (!plan_.signals_at.empty()) out = out.with("signalsAt", Value::array(std::move(readings)));
  if (options_.search.trajectory) out = out.with("trajectory", trajectory_value(text));
  return out.with("usage", usage());
}

boost::asio::awaitable<Result<TaskOutcome>> Mixture::run() {
  if (auto read = read_options(); !read) co_return forward_error(read);
  auto seating = seats_.acquire();
  if (auto seated = co_await std::move(seating); !seated) co_return forward_error(seated);
  auto opened = open_sessions();
  Status done = co_await std::move(opened);
  if (done) {
    auto writing = write();
    done = co_await std::move(writing);
  }
  auto closing = seats_.close();
  co_await std::move(closing);
  if (!done) co_return forward_error(done);
  co_return TaskOutcome{output(), usage()};
}

}  // namespace

boost::asio::awaitable<Result<TaskOutcome>> run_byte_mixture(ModelDirectory& models,
                                                             const TaskContext& context, Plan plan) {
  Mixture mixture(models, context, std::move(plan));
  auto running = mixture.run();
  co_return co_await std::move(running);
}

}  // namespace consort::ensemble_call
