// bench steps | bus | load | memory: the parts around the models.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "memory/retrieval/retrieval.h"
#include "protocols/cli/commands/bench_scratch.h"
#include "protocols/cli/commands/bench_tools.h"
#include "protocols/zmq/bench_bus.h"
#include "protocols/zmq/zmq_channel.h"
#include "scheduler/host/model_client.h"
#include "scheduler/workflow/bench_steps.h"

extern char** environ;

namespace consort::bench {
namespace {

// A call kind that only travels: a request over the bus to an endpoint that answers at once.
class PingKind final : public TaskHandler {
 public:
  static Result<std::shared_ptr<PingKind>> create(Channel& channel) {
    auto kind = std::shared_ptr<PingKind>(new PingKind);
    CONSORT_TRY(client, ModelClient::create(channel));
    kind->client_ = std::move(client);
    CONSORT_TRY(host,
                channel.attach(kAddress, [self = kind.get()](Message m) { self->answer(std::move(m)); }));
    kind->host_ = std::move(host);
    return kind;
  }
  std::string_view kind() const override { return "ping"; }
  const Value& options_schema() const override { return schema_; }
  bool repeatable() const override { return true; }  // as the calls to models are
  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override {
    RequestContext request;
    request.stop = context.stop;
    request.deadline = context.deadline;
    auto asked = client_->call(kAddress, std::move(with), std::move(request));
    auto reply = co_await std::move(asked);
    if (!reply) co_return forward_error(reply);
    co_return TaskOutcome{std::move(reply->body), {}};
  }

 private:
  static constexpr const char* kAddress = "bench/echo";
  PingKind() = default;
  void answer(Message m) {
    if (m.type != MessageType::kRequest) return;
    Message out;
    out.type = MessageType::kResponse;
    out.correlation = m.id;
    out.to = m.from;
    out.body = Value::object({{"ok", std::move(m.body)}});
    static_cast<void>(host_->send(std::move(out)));
  }
  Value schema_ = Value::object({{"type", "object"}});
  std::shared_ptr<ModelClient> client_;
  std::unique_ptr<Endpoint> host_;
};

}  // namespace

Result<Value> steps(CliContext& c, const Flags& f) {
  CONSORT_TRY(channel, ZmqChannel::create());
  CONSORT_TRY(ping, PingKind::create(*channel));
  auto kinds = std::make_shared<CallKinds>();
  CONSORT_CHECK_OK(kinds->add(ping));
  CONSORT_TRY(scratch, ScratchStore::open(c));
  CONSORT_TRY(journal, Journal::open(scratch->store()));
  StepsBenchOptions options;
  options.rounds = f.rounds;
  options.call_kind = "ping";
  Progress progress(c.console, "steps", "bench");
  progress.update(0, 1);
  CONSORT_TRY(result, bench_steps(kinds, journal.get(), options));
  progress.finish();
  return result;
}

Result<Value> bus(CliContext& c, const Flags& f) {
  BusBenchOptions options;
  options.rounds = f.rounds;
  Progress progress(c.console, "bus", "bench");
  progress.update(0, 1);
  CONSORT_TRY(result, bench_bus(options));
  progress.finish();
  return result;
}

namespace {

struct Output {
  int status = -1;
  std::string text;
};

// Runs this very program and reads its standard output.
Result<Output> spawn_self(const std::vector<std::string>& arguments) {
  std::error_code ec;
  const std::string program = std::filesystem::read_symlink("/proc/self/exe", ec).string();
  int ends[2];
  if (ec || ::pipe(ends) != 0) return fail(ErrorKind::kIo, "the program cannot start itself", program);
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  pid_t child = 0;
  const int spawned = posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  Output out;
  char buffer[4096];
  for (ssize_t n = 0; spawned == 0 && (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    out.text.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  if (spawned != 0) return fail(ErrorKind::kIo, "the program cannot start itself", program);
  int status = 0;
  ::waitpid(child, &status, 0);
  out.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return out;
}

}  // namespace

Result<Value> load(CliContext& c, const Flags& f) {
  const std::string model = f.model.empty() ? kTextModel : f.model;
  std::vector<std::string> arguments{
      "generate",     "--model",      model,     "--raw",         "--prompt",
      "The sea",      "--max-tokens", "1",       "--temperature", "0",
      "--ignore-eos", "--json",       "--quiet", "--models-dir",  c.options.models_dir};
  if (c.options.threads > 0)
    arguments.insert(arguments.end(), {"--threads", std::to_string(c.options.threads)});
  if (!c.options.isa.empty()) arguments.insert(arguments.end(), {"--isa", c.options.isa});
  Progress progress(c.console, "load", "starts");
  std::vector<double> walls, loads;
  Value ids;
  for (int round = 0; round < f.rounds; ++round) {
    if (c.stop.stop_requested()) return fail(ErrorKind::kCancelled, "the bench was interrupted");
    const auto begin = Clock::now();
    CONSORT_TRY(output, spawn_self(arguments));
    walls.push_back(milliseconds_since(begin));
    CONSORT_TRY(json, parse_json(output.text, "consort generate"));
    if (output.status != 0 || json.get("token_ids").size() != 1 ||
        (round > 0 && json.get("token_ids") != ids))
      return fail(ErrorKind::kRuntime, "a start gave no token, or another one: " + output.text, "bench load",
                  "try: consort generate --model " + model + " --prompt x");
    ids = json.get("token_ids");
    loads.push_back(json.get("timings").get("load_ms").as_number());
    progress.update(static_cast<std::uint64_t>(round) + 1, static_cast<std::uint64_t>(f.rounds));
  }
  progress.finish();
  Value::Object out{{"name", "load"}, {"model", model}, {"rounds", f.rounds}}, inside;
  append_samples(out, "milliseconds_to_first_token", walls);
  append_samples(inside, "milliseconds", loads);
  out.emplace_back("load", Value::object(std::move(inside)));
  return Value::object(std::move(out));
}

namespace {

constexpr std::size_t kItems = 5000, kDimension = 384, kQueries = 200;

std::vector<float> direction(std::uint64_t seed) {
  FreshPrompts random(1 << 20, seed);
  std::vector<float> v;
  double norm = 0;
  for (const TokenId id : random.next(static_cast<int>(kDimension))) {
    v.push_back(static_cast<float>(id) / (1 << 19) - 1.0f);
    norm += static_cast<double>(v.back()) * v.back();
  }
  for (float& x : v) x = static_cast<float>(x / std::sqrt(norm));
  return v;
}

std::string words(std::uint64_t seed) {
  FreshPrompts random(5000, seed);
  std::string text;
  for (const TokenId id : random.next(12)) text += fmt::format("word{} ", id);
  return text;
}

Status fill(Retrieval& retrieval, const RememberOptions& options, Progress& progress) {
  constexpr std::size_t kPage = 500;
  for (std::size_t at = 0; at < kItems; at += kPage) {
    std::vector<NewItem> items;
    for (std::size_t i = at; i < at + kPage; ++i) {
      NewItem item;
      item.external_id = std::to_string(i);
      item.text = words(i);
      item.embedding = direction(i);
      items.push_back(std::move(item));
    }
    CONSORT_CHECK_OK(retrieval.remember("bench", items, options));
    progress.update(at + kPage, kItems);
  }
  return {};
}

// Queries each second; every query is an item's own words and direction, so that item must come first.
Result<double> search_round(Retrieval& retrieval, SearchMode mode, int round, double& recall) {
  std::size_t found = 0;
  double spent = 0;
  for (std::size_t q = 0; q < kQueries; ++q) {
    const std::size_t wanted = (q * 7919 + static_cast<std::size_t>(round) * 104729) % kItems;
    SearchQuery query;
    query.name_space = "bench";
    query.mode = mode;
    query.text = words(wanted);
    query.vector = direction(wanted);
    query.space = query.fingerprint = "bench";
    const auto begin = Clock::now();
    CONSORT_TRY(result, retrieval.search(query));
    spent += milliseconds_since(begin);
    found += !result.hits.empty() && result.hits[0].item.external_id == std::to_string(wanted);
  }
  recall = static_cast<double>(found) / kQueries;
  if (found < kQueries)
    return fail(ErrorKind::kRuntime,
                fmt::format("{} of {} items were not found first", kQueries - found, kQueries),
                "bench memory");
  return kQueries / spent * 1000;
}

}  // namespace

Result<Value> memory(CliContext& c, const Flags& f) {
  CONSORT_TRY(scratch, ScratchStore::open(c));
  CONSORT_TRY(retrieval, Retrieval::open(scratch->store()));
  RememberOptions options;
  options.space = VectorSpace{"bench", "bench", kDimension, VectorMetric::kCosine};
  Progress progress(c.console, "memory", "items");
  const auto begin = Clock::now();
  CONSORT_CHECK_OK(fill(*retrieval, options, progress));
  const double written_ms = milliseconds_since(begin);
  progress.finish();
  Value::Object out{{"name", "memory"}, {"rounds", f.rounds}, {"items", kItems}, {"dimension", kDimension}};
  Value::Array modes;
  double recall = 0;
  for (const SearchMode mode : {SearchMode::kHybrid, SearchMode::kLexical, SearchMode::kDense}) {
    std::vector<double> rates;
    for (int round = 0; round < f.rounds; ++round) {
      if (c.stop.stop_requested()) return fail(ErrorKind::kCancelled, "the bench was interrupted");
      CONSORT_TRY(rate, search_round(*retrieval, mode, round, recall));
      rates.push_back(rate);
    }
    if (mode == SearchMode::kHybrid) append_samples(out, "queries_per_s", rates);
    Value::Object row{{"name", std::string(search_mode_name(mode))}};
    append_samples(row, "queries_per_s", rates);
    row.emplace_back("recall", recall);
    modes.push_back(Value::object(std::move(row)));
  }
  out.emplace_back("recall", recall);
  out.emplace_back("modes", Value::array(std::move(modes)));
  out.emplace_back("items_written_per_s", kItems / written_ms * 1000);
  return Value::object(std::move(out));
}

}  // namespace consort::bench
