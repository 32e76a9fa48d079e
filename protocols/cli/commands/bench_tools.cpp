#include "protocols/cli/commands/bench_tools.h"

#include <algorithm>

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "kernels/exec/thread_pool.h"
#include "protocols/cli/commands/model_files.h"

namespace consort::bench {
namespace {

using Answers = std::vector<std::future<Result<GenerateResult>>>;

boost::asio::awaitable<void> generate_into(ModelHandle model, GenerateRequest request, RequestContext context,
                                           std::shared_ptr<std::promise<Result<GenerateResult>>> into) {
  auto answer = co_await model.generate(std::move(request), std::move(context));
  into->set_value(std::move(answer));
}

void add_rows(CliContext& c, const Value& v, const std::string& prefix) {
  for (const auto& [key, member] : v.as_object()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    if (member.is_object()) {
      add_rows(c, member, name);
    } else if (member.is_array()) {
      for (std::size_t i = 0; i < member.size(); ++i) {
        const Value& one = member.as_array()[i];
        const Value label = one.get("name");
        const std::string row = name + "." + (label.is_string() ? label.as_string() : std::to_string(i));
        if (one.is_object())
          add_rows(c, one, row);
        else
          c.console.line(fmt::format("{:<44} {}", row, write_json(one)));
      }
    } else if (member.is_number() && !member.is_integer()) {
      c.console.line(fmt::format("{:<44} {:.6g}", name, member.as_number()));
    } else {
      c.console.line(
          fmt::format("{:<44} {}", name, member.is_string() ? member.as_string() : write_json(member)));
    }
  }
}

}  // namespace

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void append_samples(Value::Object& result, const std::string& unit, std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const std::size_t middle = samples.size() / 2;
  const double median = samples.size() % 2 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
  result.emplace_back(unit, median);
  result.emplace_back("min", samples.front());
  result.emplace_back("max", samples.back());
}

Machine measure_machine(const CliContext& c) {
  Machine m{best_isa(), c.options.threads > 0 ? c.options.threads : usable_cores(), {}};
  if (const auto forced = isa_from_name(c.options.isa)) m.isa = *forced;
  m.roof = measure_roof(m.isa, m.threads);
  return m;
}

Value roof_value(const Machine& m) {
  return Value::object({{"threads", m.roof.threads},
                        {"dram_read_gbs", m.roof.dram_read_gbs},
                        {"l3_read_gbs", m.roof.l3_read_gbs},
                        {"cache_read_gbs", m.roof.cache_read_gbs},
                        {"f32_gflops", m.roof.f32_gflops},
                        {"bf16_gflops", m.roof.bf16_gflops},
                        {"int16_gops", m.roof.int16_gops},
                        {"int8_gops", m.roof.int8_gops}});
}

namespace {

// A processor without bfloat16 products makes them as float32 ones.
std::pair<const char*, double> peak_of(const Roof& roof, Arithmetic a) {
  switch (a) {
    case Arithmetic::kFloat32:
      return {"float32", roof.f32_gflops};
    case Arithmetic::kBfloat16:
      return {"bf16", roof.bf16_gflops > 0 ? roof.bf16_gflops : roof.f32_gflops};
    case Arithmetic::kInt16:
      return {"int16", roof.int16_gops};
    case Arithmetic::kInt8:
      return {"int8", roof.int8_gops};
  }
  return {"float32", roof.f32_gflops};
}

}  // namespace

Value roof_share(const Machine& m, const Work& work, double seconds) {
  const auto [name, peak] = peak_of(m.roof, work.arithmetic);
  const double memory = work.bytes / m.roof.dram_read_gbs * 1e-9, arithmetic = work.flop / peak * 1e-9;
  if (!(seconds > 0)) return roof_value(m);
  return roof_value(m)
      .with("attained_gbs", work.bytes / seconds * 1e-9)
      .with("attained_gflops", work.flop / seconds * 1e-9)
      .with("bound", memory >= arithmetic ? "memory" : name)
      .with("share", std::max(memory, arithmetic) / seconds);
}

Result<Arithmetic> arithmetic_of(const CliContext& c, const std::string& model) {
  CONSORT_TRY(catalogue, open_catalogue(c));
  CONSORT_TRY(path, catalogue.resolve(model));
  CONSORT_TRY(source, open_weights(path));
  double all = 0, blocks = 0, bytes = 0;
  for (const TensorEntry& t : source->tensors()) {
    const auto elements = static_cast<double>(t.view.elements());
    all += elements;
    if (dtype_info(t.view.dtype).block > 1)
      blocks += elements;
    else if (dtype_info(t.view.dtype).bytes == 1)
      bytes += elements;
  }
  // An encoder's embedding may stay in floats beside quantised products. --activations is for block formats.
  if (4 * (blocks + bytes) <= all) return c.options.precision == "int16" ? Arithmetic::kInt16 : Arithmetic::kFloat32;
  const ActivationFormat activation = *activation_of(c.options.activations);
  if (blocks <= bytes || activation == ActivationFormat::kInt16) return Arithmetic::kInt16;
  return activation == ActivationFormat::kInt8 ? Arithmetic::kInt8 : Arithmetic::kFloat32;
}

// The first tenth and the last tenth of a vocabulary hold control and unused tokens.
FreshPrompts::FreshPrompts(int vocabulary, std::uint64_t seed)
    : state_(seed), first_(vocabulary / 10), span_(std::max(1, vocabulary / 10 * 8)) {}

std::vector<TokenId> FreshPrompts::next(int tokens) {
  std::vector<TokenId> ids;
  for (int i = 0; i < tokens; ++i) {
    // SplitMix64 (Steele, Lea, Flood 2014).
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    ids.push_back(first_ + static_cast<TokenId>(z % static_cast<std::uint64_t>(span_)));
  }
  return ids;
}

GenerateRequest plain_request(std::vector<TokenId> ids, int max_tokens) {
  GenerateRequest r;
  r.prompt.token_ids = std::move(ids);
  r.max_tokens = max_tokens;
  r.ignore_eos = true;
  r.sampling.temperature = 0;
  r.logprobs = false;
  r.bypass_prefix_cache = true;
  return r;
}

Status check_answer(const GenerateRequest& request, const GenerateResult& answer) {
  const auto wrong = [](const std::string& what) { return fail(ErrorKind::kRuntime, what, "bench"); };
  if (answer.finish_reason == "cancelled") return fail(ErrorKind::kCancelled, "the bench was interrupted");
  if (static_cast<int>(answer.token_ids.size()) != request.max_tokens)
    return wrong(fmt::format("asked for {} tokens, got {} ({})", request.max_tokens, answer.token_ids.size(),
                             answer.finish_reason));
  if (answer.usage.prompt_tokens != static_cast<int>(request.prompt.token_ids.size()))
    return wrong(fmt::format("the prompt of {} tokens was counted as {}", request.prompt.token_ids.size(),
                             answer.usage.prompt_tokens));
  if (answer.usage.cached_tokens != 0)
    return wrong(fmt::format("{} prompt tokens came from the prefix cache", answer.usage.cached_tokens));
  return {};
}

Result<std::vector<GenerateResult>> generate_all(Engine& engine, const ModelHandle& model,
                                                 const std::vector<GenerateRequest>& requests,
                                                 double& wall_ms) {
  Answers answers;
  const auto start = Clock::now();
  for (const GenerateRequest& request : requests) {
    auto promise = std::make_shared<std::promise<Result<GenerateResult>>>();
    answers.push_back(promise->get_future());
    boost::asio::co_spawn(engine.io(), generate_into(model, request, engine.request(), promise),
                          boost::asio::detached);
  }
  std::vector<GenerateResult> out;
  std::optional<Error> failed;
  for (auto& answer : answers) {
    auto result = answer.get();
    if (!result && !failed) failed = result.error();
    if (result) out.push_back(std::move(*result));
  }
  wall_ms = milliseconds_since(start);
  if (failed) return tl::unexpected(*failed);
  for (std::size_t i = 0; i < out.size(); ++i) CONSORT_CHECK_OK(check_answer(requests[i], out[i]));
  return out;
}

void print_result(CliContext& c, const Value& result) {
  if (c.options.json) {
    c.console.json_line(result);
    return;
  }
  add_rows(c, result, "");
}

}  // namespace consort::bench
