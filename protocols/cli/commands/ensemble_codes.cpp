// The code length of a text under a mixture of its members, byte by byte or chunk by chunk.
#include "protocols/cli/commands/ensemble_codes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "agents/ensemble/byte_mixture.h"
#include "agents/ensemble/code_mixture.h"
#include "protocols/cli/engine.h"

namespace consort {
namespace {

constexpr double kMaxTrajectory = 200000;  // numbers in a document

struct Scored {
  std::string name;
  ScoreBytesResult result;
  double milliseconds = 0;
  std::optional<Error> error;
};

boost::asio::awaitable<Result<ScoreBytesResult>> score(Engine& engine, std::string model,
                                                       ScoreBytesRequest request) {
  auto handle = co_await engine.models().acquire(std::move(model), engine.request());
  if (!handle) co_return forward_error(handle);
  co_return co_await handle->score_bytes(std::move(request), engine.request());
}

// One after the other, so that a member's milliseconds are its own.
Result<std::vector<Scored>> score_all(CliContext& c, Engine& engine, const CodeJob& job,
                                      const CodeFlags& flags, const std::string& text) {
  std::vector<Scored> all;
  for (const std::string& name : job.members) {
    ScoreBytesRequest request;
    request.text = text;
    request.context = job.context;
    request.covers = job.combine == kByteMixture;
    request.doubt = flags.trajectory && !request.covers;
    request.cover.prune = flags.prune.value_or(request.cover.prune);
    request.cover.canonical = !flags.all_cuts;
    Scored member{name, {}, 0, {}};
    const auto start = std::chrono::steady_clock::now();
    auto result = engine.wait(score(engine, name, std::move(request)));
    member.milliseconds =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    if (result)
      member.result = std::move(*result);
    else if (!job.report_errors || c.stop.stop_requested())
      return forward_error(result);
    else
      member.error = std::move(result.error());
    all.push_back(std::move(member));
  }
  return all;
}

Result<CodeTable> table_of(const std::vector<Scored>& scored, std::size_t bytes, const CodeJob& job) {
  std::vector<TextCode> codes;
  for (const Scored& m : scored)
    if (!m.error)
      codes.push_back({m.name, m.result.token_ends, m.result.token_logprobs, m.result.byte_logprobs});
  return code_table(codes, bytes, job.combine == kByteMixture ? CodePieces::kBytes : CodePieces::kChunks);
}

double per_byte(double nats, std::size_t bytes) {
  return bytes == 0 ? 0 : nats / std::log(2.0) / static_cast<double>(bytes);
}

Value member_value(const Scored& m, double weight, double last, double nats, std::size_t bytes) {
  if (m.error)
    return Value::object(
        {{"name", m.name}, {"weight", 0.0}, {"error", m.error->what}, {"milliseconds", m.milliseconds}});
  double kept = 1;
  for (const double k : m.result.kept) kept = std::min(kept, k);
  return Value::object({{"name", m.name},
                        {"score", per_byte(nats, bytes)},
                        {"weight", weight},
                        {"lastWeight", last},
                        {"bits_per_byte", per_byte(nats, bytes)},
                        {"nll_nats", nats},
                        {"tokens", m.result.token_ends.size()},
                        {"forks", m.result.forks},
                        {"kept", kept},
                        {"milliseconds", m.milliseconds},
                        {"error", Value()}});
}

// What each member expected where a chunk begins: {entropy (nats), first, second (probabilities of its two
// likeliest tokens), guess (the likeliest one's first byte)}, each [member][chunk]; null where nothing stands
// before, guess -1 for a control token.
Value doubts(const CodeTable& table, const std::vector<Scored>& scored) {
  const auto by_member = [&](const auto& figure_of) {
    Value::Array members;
    for (const Scored& m : scored) {
      if (m.error) continue;
      Value::Array chunks;
      for (const std::size_t token : table.first_tokens[members.size()])
        chunks.push_back(std::isnan(m.result.entropies.at(token)) ? Value()
                                                                  : Value(figure_of(m.result).at(token)));
      members.push_back(Value::array(std::move(chunks)));
    }
    return Value::array(std::move(members));
  };
  return Value::object(
      {{"entropy", by_member([](const ScoreBytesResult& r) -> const auto& { return r.entropies; })},
       {"first", by_member([](const ScoreBytesResult& r) -> const auto& { return r.firsts; })},
       {"second", by_member([](const ScoreBytesResult& r) -> const auto& { return r.seconds; })},
       {"guess", by_member([](const ScoreBytesResult& r) -> const auto& { return r.guesses; })}});
}

Value trajectory(const CodeTable& table, const CodeMixture& mixed, const std::vector<Scored>& scored) {
  Value::Array ends, members(table.lp.size()), scores(table.lp.size());
  for (const std::int64_t end : table.ends) ends.emplace_back(end);
  for (std::size_t m = 0; m < members.size(); ++m) {
    Value::Array weights;
    for (const auto& step : mixed.weights) weights.emplace_back(std::round(step[m] * 1e4) / 1e4);
    members[m] = Value::array(std::move(weights));
    scores[m] = Value::array(Value::Array(table.lp[m].begin(), table.lp[m].end()));
  }
  Value out = Value::object({{"ends", Value::array(std::move(ends))},
                             {"weights", Value::array(std::move(members))},
                             {"logprobs", Value::array(std::move(scores))}});
  if (!table.first_tokens.empty()) out = out.with("doubt", doubts(table, scored));
  return out;
}

Value document(const CodeJob& job, const CodeFlags& flags, const CombinerOptions& options,
               const std::vector<Scored>& scored, const CodeTable& table, const CodeMixture& mixed) {
  const std::size_t bytes = job.text.size();
  const auto first = ByteCombiner::create(options, table.lp.size())->weights();
  Value::Array members, missing;
  std::size_t at = 0;
  for (const Scored& m : scored) {
    if (m.error) {
      missing.emplace_back(m.name);
      members.push_back(member_value(m, 0, 0, 0, bytes));
      continue;
    }
    const double last = mixed.weights.empty() ? first[at] : mixed.weights.back()[at];
    members.push_back(member_value(m, first[at], last, mixed.member_nats[at], bytes));
    ++at;
  }
  Value combined = Value::object({{"strategy", job.combine},
                                  {"tie", Value()},
                                  {"pool", std::string(combine_rule_name(options.rule))},
                                  {"pieces", table.ends.size()}});
  if (options.rule == CombineRule::kBayes)
    combined =
        combined.with("alpha", options.alpha).with("bound_bits_per_byte", per_byte(mixed.bound_nats, bytes));
  Value out = Value::object({{"bits_per_byte", per_byte(mixed.nats, bytes)},
                             {"nll_nats", mixed.nats},
                             {"file_bytes", bytes},
                             {"members", Value::array(std::move(members))},
                             {"combined", std::move(combined)},
                             {"missing", Value::array(std::move(missing))},
                             {"signals", Value::object()}});
  if (flags.trajectory && static_cast<double>(table.ends.size() * table.lp.size()) <= kMaxTrajectory)
    out = out.with("trajectory", trajectory(table, mixed, scored));
  return out;
}

void print(Console& console, const Value& out) {
  const Value& combined = out.get("combined");
  console.line(fmt::format("{:.4f} bits per byte under {} ({} pieces of {} bytes)",
                           out.get("bits_per_byte").as_number(), combined.get("strategy").as_string(),
                           combined.get("pieces").as_integer(), out.get("file_bytes").as_integer()));
  for (const Value& m : out.get("members").as_array()) {
    const Value error = m.get("error");
    if (error.is_string())
      console.note("   " + m.get("name").as_string() + "  failed: " + error.as_string());
    else
      console.note(fmt::format(
          "   {:<24} {:.4f} bits per byte  weight {:.3f} -> {:.3f}  {:>6} tokens {:>6} forks {:>7.0f} ms",
          m.get("name").as_string(), m.get("bits_per_byte").as_number(), m.get("weight").as_number(),
          m.get("lastWeight").as_number(), m.get("tokens").as_integer(), m.get("forks").as_integer(),
          m.get("milliseconds").as_number()));
  }
}

Result<CombinerOptions> combiner(const CodeJob& job, const CodeFlags& flags) {
  CombinerOptions options;
  options.rule =
      flags.pool == "linear" || !flags.fit_file.empty() ? CombineRule::kLinear : CombineRule::kBayes;
  if (!flags.fit_file.empty() && (flags.pool == "bayes" || !job.weights.empty()))
    return fail(ErrorKind::kUsage, "--fit-file finds the weights of a linear pool", "consort ensemble score",
                "leave --weights and --pool bayes out");
  if (flags.alpha && options.rule != CombineRule::kBayes)
    return fail(ErrorKind::kUsage, "--alpha belongs to --pool bayes", "consort ensemble score");
  options.alpha = flags.alpha.value_or(options.alpha);
  return options;
}

}  // namespace

void add_code_flags(Command sub, CodeFlags& f) {
  sub.add_option("--pool", f.pool, "mixtures: bayes (default) or linear").one_of({"bayes", "linear"});
  sub.add_option("--alpha", f.alpha, "mixtures, bayes: share dealt out anew at every piece (default 0.005)")
      .in_range(0.0, 1.0);
  sub.add_option("--fit-file", f.fit_file,
                 "mixtures: a text on which the weights of a linear pool are fitted");
  sub.add_option("--prune", f.prune, "byteMixture: what may be given up at a byte (default 0.001)")
      .in_range(0.0, 0.5);
  sub.add_flag("--all-cuts", f.all_cuts,
               "byteMixture: also cuts into tokens that the tokenizers would not make (slower)");
  sub.add_flag("--trajectory", f.trajectory,
               "mixtures, --json: every piece's end, log-probabilities and weights; chunkMixture: also the "
               "members' doubt where it begins");
}

Result<int> score_codes(CliContext& c, const CodeJob& job, const CodeFlags& flags) {
  CONSORT_TRY(options, combiner(job, flags));
  CONSORT_TRY(engine, Engine::start(c));
  CONSORT_TRY(scored, score_all(c, *engine, job, flags, job.text));
  const auto there = std::count_if(scored.begin(), scored.end(), [](const Scored& m) { return !m.error; });
  if (there < job.min_members)
    for (Scored& m : scored)
      if (m.error) return tl::unexpected<Error>(std::move(*m.error));
  if (there < job.min_members)
    return fail(ErrorKind::kUsage, "fewer members than --min-members asks for", "consort ensemble score");
  if (!flags.fit_file.empty()) {
    if (there != static_cast<std::ptrdiff_t>(scored.size()))
      return fail(ErrorKind::kUnavailable, "weights cannot be fitted without every member");
    CONSORT_TRY(text, read_file(flags.fit_file));
    CONSORT_TRY(fitting, score_all(c, *engine, job, flags, text));
    CONSORT_TRY(table, table_of(fitting, text.size(), job));
    options.weights = fit_linear_weights(table.lp);
  } else {
    for (std::size_t m = 0; m < job.weights.size(); ++m)
      if (!scored[m].error) options.weights.push_back(job.weights[m]);
  }
  CONSORT_TRY(table, table_of(scored, job.text.size(), job));
  CONSORT_TRY(mixed, mix_codes(table, options));
  const Value out = document(job, flags, options, scored, table, mixed);
  if (c.options.json)
    c.console.result(out);
  else
    print(c.console, out);
  return 0;
}

}  // namespace consort
