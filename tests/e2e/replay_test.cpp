// Replay with real models, in the whole engine: a run repeated with its seed has the same output digest,
// alone or beside other runs, with 1 and with 2 threads; and while the bus is paused no model call completes.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <cstdlib>
#include <future>
#include <vector>

#include "memory/store/temporary_store.h"
#include "protocols/cli/context.h"
#include "protocols/cli/engine.h"
#include "scheduler/bus/channel.h"
#include "scheduler/workflow/runner.h"

namespace consort {
namespace {

// Two language models side by side, sampling, then an encoder over what they said.
constexpr const char* kDocument = R"({
  "document": {"dsl": "1.0.0", "namespace": "e2e", "name": "replay", "version": "1.0.0"}, TIMEOUT
  "do": [
    {"said": {"fork": {"branches": [
      {"smol": {"for": {"in": "${ [\"sea\", \"hill\"] }", "maxConcurrency": 2}, "do": [
        {"tell": {"call": "generate", "with": {"model": "smollm2-135m-instruct", "prompt": "The ${ $item }", "temperature": 1,
                  "maxTokens": 12}, "output": {"as": "${ .text }"}}}]}},
      {"gemma": {"call": "generate", "with": {"model": "gemma-3-270m", "prompt": "A ferry", "temperature": 1, "maxTokens": 12},
                 "output": {"as": "${ .text }"}}}]}}},
    {"meaning": {"call": "embed", "with": {"model": "all-minilm-l6-v2", "input": "${ flatten | join(\" \") }"},
                 "output": {"as": "${ {said: $input, vector: .embedding[0:8]} }"}}}]})";

Value document(const std::string& timeout = "") {
  std::string text = kDocument;
  text.replace(text.find("TIMEOUT"), 7, timeout.empty() ? "" : R"("timeout": {"after": )" + timeout + "},");
  Result<Value> value = parse_json(text);
  EXPECT_TRUE(value) << value.error().line();
  return value ? *value : Value();
}

std::string models_dir() {
  if (const char* set = std::getenv("CONSORT_MODELS_DIR")) return set;
  const char* home = std::getenv("HOME");
  return std::string(home ? home : "") + "/.cache/consort/models";
}

// One process: the engine that a command has, with a store of its own.
class Process {
 public:
  explicit Process(int threads) {
    context_.options.project_dir = CONSORT_SOURCE_DIR;
    context_.options.models_dir = models_dir();
    context_.options.data_dir = directory_.path();
    context_.options.threads = threads;
    context_.options.quiet = true;
    auto engine = Engine::start(context_, {.store = true});
    EXPECT_TRUE(engine) << engine.error().line();
    if (!engine) return;
    engine_ = std::move(*engine);
    runner_ =
        std::make_unique<Runner>(engine_->io().get_executor(), engine_->call_kinds(), &engine_->journal());
  }
  Engine& engine() { return *engine_; }

  std::future<Result<RunReport>> start(const Value& text, std::uint64_t seed) {
    WorkflowParse parsed = Workflow::parse(text, *engine_->call_kinds());
    EXPECT_TRUE(parsed.workflow) << findings_error(parsed.findings, "replay").line();
    RunOptions options;
    options.seed = seed;
    auto promise = std::make_shared<std::promise<Result<RunReport>>>();
    boost::asio::co_spawn(
        engine_->io(), runner_->run(parsed.workflow, Value::object(), std::move(options)),
        [promise](std::exception_ptr, Result<RunReport> r) { promise->set_value(std::move(r)); });
    return promise->get_future();
  }
  std::string digest(std::uint64_t seed) { return digest_of(start(document(), seed).get()); }
  static std::string digest_of(const Result<RunReport>& report) {
    if (!report) return ADD_FAILURE() << report.error().line(), "";
    EXPECT_EQ(report->status, "completed") << (report->problem ? report->problem->detail : "");
    return report->output_digest;
  }

 private:
  const testing::TemporaryDirectory directory_;
  CliContext context_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Runner> runner_;
};

TEST(Replay, AloneBesideOthersAndWithAnyThreadsTheOutputIsTheSame) {
  std::string alone;
  {
    Process process(1);
    alone = process.digest(11);
    EXPECT_EQ(alone.size(), 32u);
    EXPECT_EQ(process.digest(11), alone);
    EXPECT_NE(process.digest(12), alone);
  }
  Process process(2);
  EXPECT_EQ(process.digest(11), alone);
  std::vector<std::future<Result<RunReport>>> runs;
  for (std::uint64_t seed : {21, 11, 22, 11, 23}) runs.push_back(process.start(document(), seed));
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::string digest = Process::digest_of(runs[i].get());
    EXPECT_EQ(digest == alone, i == 1 || i == 3) << i;
  }
}

TEST(Replay, WithTheBusPausedNoModelCallCompletes) {
  Process process(2);
  const std::string digest = process.digest(11);
  const std::uint64_t delivered = process.engine().channel().stats().delivered;
  process.engine().channel().pause();
  const Result<RunReport> stuck = process.start(document(R"({"seconds": 2})"), 11).get();
  ASSERT_TRUE(stuck);
  ASSERT_TRUE(stuck->problem);
  EXPECT_EQ(stuck->problem->type, "urn:consort:error:timeout") << stuck->problem->detail;
  for (const TraceSpan& span : stuck->trace.spans)
    if (span.kind.starts_with("call:")) {
      EXPECT_NE(span.status, "finished") << span.path;
    }
  EXPECT_EQ(process.engine().channel().stats().delivered, delivered);
  process.engine().channel().resume();
  EXPECT_EQ(process.digest(11), digest);
}

}  // namespace
}  // namespace consort
