// consort ensemble score: bits per byte of one text under each member and under their Bayesian mixture.
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "agents/ensemble/mixture.h"
#include "protocols/cli/commands/commands.h"
#include "protocols/cli/commands/ensemble_codes.h"
#include "protocols/cli/commands/ensemble_tasks.h"
#include "protocols/cli/engine.h"

namespace consort {
namespace {

struct Flags {
  std::vector<std::string> members, weights;
  std::string combine = "bayes", file, on_error = "fail";
  int context = 0, min_members = 1;
  CodeFlags code;
};

struct Scored {
  std::string name;
  double weight = 1;
  ScoreTextResult result;
  double milliseconds = 0;
  std::optional<Error> error;
  double bits_per_byte() const {
    return result.bytes == 0 ? 0 : result.nll_nats / std::log(2.0) / static_cast<double>(result.bytes);
  }
};

boost::asio::awaitable<Result<ScoreTextResult>> score(Engine& engine, std::string model,
                                                      ScoreTextRequest request) {
  auto handle = co_await engine.models().acquire(std::move(model), engine.request());
  if (!handle) co_return forward_error(handle);
  co_return co_await handle->score_text(std::move(request), engine.request());
}

// One after the other, so that a member's milliseconds are its own.
Result<std::vector<Scored>> score_all(CliContext& c, const Flags& f, Engine& engine, const std::string& text,
                                      const std::vector<double>& weights) {
  std::vector<Scored> scored;
  for (std::size_t i = 0; i < f.members.size(); ++i) {
    Scored member{f.members[i], weights.empty() ? 1.0 : weights[i], {}, 0, {}};
    const auto start = std::chrono::steady_clock::now();
    auto result = engine.wait(score(engine, member.name, {text, f.context}));
    member.milliseconds =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    if (result) {
      member.result = std::move(*result);
    } else {
      if (f.on_error == "fail" || c.stop.stop_requested()) return forward_error(result);
      member.error = std::move(result.error());
    }
    scored.push_back(std::move(member));
  }
  return scored;
}

Value member_value(const Scored& m, double weight, double posterior, double file_nats,
                   std::size_t file_bytes) {
  if (m.error)
    return Value::object(
        {{"name", m.name}, {"weight", 0.0}, {"error", m.error->what}, {"milliseconds", m.milliseconds}});
  const double bytes = static_cast<double>(file_bytes);
  return Value::object({{"name", m.name},
                        {"score", m.bits_per_byte()},
                        {"weight", weight},
                        {"posterior", posterior},
                        {"bits_per_byte", m.bits_per_byte()},
                        {"file_bits_per_byte", file_bytes == 0 ? 0 : file_nats / std::log(2.0) / bytes},
                        {"nll_nats", m.result.nll_nats},
                        {"bytes", m.result.bytes},
                        {"tokens", m.result.tokens},
                        {"scored_tokens", m.result.scored_tokens},
                        {"milliseconds", m.milliseconds},
                        {"error", Value()}});
}

// The output document; `mixture` is over the members without an error, in their order.
Value document(const std::vector<Scored>& scored, const TextMixture& mixture, std::size_t file_bytes) {
  Value::Array members, missing;
  std::size_t at = 0;
  double first = 0, second = 0;
  for (const Scored& m : scored) {
    if (m.error) {
      missing.emplace_back(m.name);
      members.push_back(member_value(m, 0, 0, 0, file_bytes));
      continue;
    }
    const double posterior = mixture.posteriors[at];
    members.push_back(member_value(m, mixture.priors[at], posterior, mixture.member_nats[at], file_bytes));
    second = std::max(second, std::min(first, posterior));
    first = std::max(first, posterior);
    ++at;
  }
  return Value::object(
      {{"bits_per_byte", mixture.bits_per_byte},
       {"nll_nats", mixture.nll_nats},
       {"file_bytes", file_bytes},
       {"members", Value::array(std::move(members))},
       {"combined", Value::object({{"strategy", "bayes"}, {"tie", Value()}})},
       {"missing", Value::array(std::move(missing))},
       {"signals",
        Value::object({{"entropy", mixture.entropy}, {"margin", first - second}, {"confidence", first}})}});
}

void print(Console& console, const Value& out) {
  console.line(fmt::format("{:.4f} bits per byte under the mixture ({} bytes)",
                           out.get("bits_per_byte").as_number(), out.get("file_bytes").as_integer()));
  for (const Value& m : out.get("members").as_array()) {
    const Value error = m.get("error");
    if (error.is_string())
      console.note("   " + m.get("name").as_string() + "  failed: " + error.as_string());
    else
      console.note(fmt::format(
          "   {:<24} {:.4f} bits per byte  weight {:.2f} -> {:.4f}  {:>6} tokens {:>7.0f} ms",
          m.get("name").as_string(), m.get("bits_per_byte").as_number(), m.get("weight").as_number(),
          m.get("posterior").as_number(), m.get("tokens").as_integer(), m.get("milliseconds").as_number()));
  }
}

Result<int> run(CliContext& c, const Flags& f) {
  CONSORT_TRY(weights, parse_weights(f.weights, f.members.size()));
  CONSORT_TRY(text, read_file(f.file));
  if (f.combine != "bayes")
    return score_codes(
        c, {f.members, weights, f.combine, text, f.context, f.on_error == "report", f.min_members}, f.code);
  if (f.code.any_given())
    return fail(ErrorKind::kUsage, "pool, alpha, fit-file, prune, all-cuts and trajectory are of mixtures",
                "consort ensemble score", "add --combine byteMixture or chunkMixture");
  CONSORT_TRY(engine, Engine::start(c));
  CONSORT_TRY(scored, score_all(c, f, *engine, text, weights));
  std::vector<TextLikelihood> likelihoods;
  for (const Scored& m : scored)
    if (!m.error) likelihoods.push_back({m.name, m.weight, m.result.nll_nats, m.result.bytes});
  if (likelihoods.size() < static_cast<std::size_t>(f.min_members)) {
    for (Scored& m : scored)
      if (m.error) return tl::unexpected<Error>(std::move(*m.error));
    return fail(ErrorKind::kUsage, "fewer members than --min-members asks for", "consort ensemble score");
  }
  CONSORT_TRY(mixture, mix_texts(likelihoods, text.size()));
  const Value out = document(scored, mixture, text.size());
  if (c.options.json)
    c.console.result(out);
  else
    print(c.console, out);
  return 0;
}

}  // namespace

Result<std::vector<double>> parse_weights(const std::vector<std::string>& texts, std::size_t members) {
  std::vector<double> numbers;
  for (const std::string& text : texts) {
    char* end = nullptr;
    const double w = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(w >= 0) || !std::isfinite(w))
      return fail(ErrorKind::kUsage, "'" + text + "' is not a number of at least 0", "--weights");
    numbers.push_back(w);
  }
  if (!numbers.empty() && numbers.size() != members)
    return fail(ErrorKind::kUsage, "give one weight a member", "--weights");
  return numbers;
}

void add_ensemble_score(Command group, CliContext& c) {
  auto sub =
      group.add_subcommand("score", "bits per byte of a text under each member and under their mixture");
  auto f = std::make_shared<Flags>();
  sub.add_option("--members", f->members, "model ids or paths, separated by commas")
      .required()
      .delimiter(',');
  sub.add_option("--combine", f->combine,
                 "bayes: likelihoods of the whole text, weighted by the weights; byteMixture: byte by byte, "
                 "exact; chunkMixture: between places where tokens of all members end")
      .one_of({"bayes", "byteMixture", "chunkMixture"})
      .show_default();
  sub.add_option("--file", f->file, "text file; - is standard input").required();
  sub.add_option("--context", f->context, "tokens in a chunk, BOS included (default: the model's context)")
      .in_range(2, 1 << 20);
  sub.add_option("--weights", f->weights, "priors, one a member, separated by commas").delimiter(',');
  sub.add_option("--min-members", f->min_members, "with --on-member-error report").in_range(1, 64);
  sub.add_option("--on-member-error", f->on_error, "fail or report")
      .one_of({"fail", "report"})
      .show_default();
  add_code_flags(sub, f->code);
  sub.callback([&c, f] { c.action = [&c, f] { return run(c, *f); }; });
}

}  // namespace consort
