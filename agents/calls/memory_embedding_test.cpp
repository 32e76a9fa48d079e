// retrieve and remember with the real encoder over a bus: the shipped notes are found by meaning, and vectors
// of other weights are refused.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "agents/calls/call_kinds.h"
#include "agents/calls/ingest.h"
#include "memory/retrieval/retrieval.h"
#include "memory/store/temporary_store.h"
#include "scheduler/host/model_directory.h"
#include "scheduler/host/test_channel.h"

namespace consort {

std::shared_ptr<TaskHandler> make_retrieve_call(CallServices services);
std::shared_ptr<TaskHandler> make_remember_call(CallServices services);

namespace {

namespace fs = std::filesystem;
const fs::path kConfigs = fs::path(CONSORT_SOURCE_DIR) / "configs";

Result<ModelPlace> place_of(const std::string& id) {
  const char* dir = std::getenv("CONSORT_MODELS_DIR");
  const char* home = std::getenv("HOME");
  const fs::path root = dir ? fs::path(dir) : fs::path(home ? home : ".") / ".cache/consort/models";
  if (fs::exists(root / id)) return ModelPlace{(root / id).string(), "", ""};
  return fail(ErrorKind::kNotFound, "the test's weights are not there", (root / id).string(),
              "consort models pull " + id);
}

class MemoryWithEncoder : public ::testing::Test {
 protected:
  MemoryWithEncoder() {
    pool_ = std::move(*DevicePool::create_cpu(std::size_t{1} << 30));
    lane_ = std::move(*Lane::start(*pool_, {.threads = 2}));
    directory_ = std::move(*LocalModelDirectory::create(channel_, *lane_, make_model_loader(place_of)));
    store_ = std::move(*Store::open(dir_ / "s"));
    retrieval_ = std::move(*Retrieval::open(*store_));
    CallServices services;
    services.models = directory_.get();
    services.channel = &channel_;
    services.store = store_.get();
    services.retrieval = retrieval_.get();
    retrieve_ = make_retrieve_call(services);
    remember_ = make_remember_call(services);
  }
  Result<Value> act(TaskHandler& handler, const Value& with) {
    TaskContext context;
    context.run_id = "run-1";
    std::vector<StoreWrite> writes;
    context.write = [&writes](StoreWrite write) { writes.push_back(std::move(write)); };
    auto outcome = wait(handler.run(context, with));
    if (!outcome) return forward_error(outcome);
    EXPECT_TRUE(store_->commit(writes, Durability::kAsync).has_value());
    return outcome->output;
  }
  template <typename T>
  static Result<T> wait(Async<T> task) {
    boost::asio::io_context io;
    std::optional<Result<T>> result;
    boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr e, Result<T> r) {
      EXPECT_FALSE(e);
      result = std::move(r);
    });
    io.run();
    return std::move(*result);
  }

  testing::TemporaryDirectory dir_;
  std::unique_ptr<DevicePool> pool_;
  std::unique_ptr<Lane> lane_;
  mock::TestChannel channel_;
  std::unique_ptr<LocalModelDirectory> directory_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Retrieval> retrieval_;
  std::shared_ptr<TaskHandler> retrieve_, remember_;
};

TEST_F(MemoryWithEncoder, TheShippedNotesAreFoundByMeaning) {
  IngestOptions options;
  options.name_space = "notes";
  const auto report =
      wait(ingest_path(*retrieval_, directory_.get(), (kConfigs / "notes").string(), options, {}));
  ASSERT_TRUE(report.has_value()) << report.error().line();
  EXPECT_EQ(report->files, 30u);
  EXPECT_EQ(report->created, report->items);
  EXPECT_EQ(report->truncated, 0u);
  const auto stats = retrieval_->stats();
  EXPECT_EQ(stats->namespaces.at(0).spaces.at(0).space.dimension, 384u);
  EXPECT_NE(stats->namespaces.at(0).spaces.at(0).space.fingerprint, "all-minilm-l6-v2")
      << "no digest of the weights";
  std::ifstream lines(kConfigs / "questions" / "ask-the-notes.jsonl");
  for (const std::string mode : {"dense", "hybrid"}) {
    int asked = 0, first = 0, among_four = 0;
    lines.clear();
    lines.seekg(0);
    for (std::string line; std::getline(lines, line); ++asked) {
      const Value q = *parse_json(line);
      const auto found = act(
          *retrieve_,
          Value::object({{"namespace", "notes"}, {"query", q.get("question")}, {"topK", 4}, {"mode", mode}}));
      ASSERT_TRUE(found.has_value()) << found.error().line();
      const auto& hits = found->get("hits").as_array();
      for (std::size_t i = 0; i < hits.size(); ++i) {
        if (!(hits[i].get("provenance").get("source") == q.get("note"))) continue;
        first += i == 0;
        ++among_four;
        break;
      }
    }
    fmt::print("{}: the right note first for {} of {}, among four for {}\n", mode, first, asked, among_four);
    EXPECT_GE(first, 17) << mode;
    EXPECT_GE(among_four, 19) << mode;
  }
  EXPECT_TRUE(retrieval_->check()->ok());
}

TEST_F(MemoryWithEncoder, LateInteractionAndReranking) {
  IngestOptions options;
  options.name_space = "notes";
  options.model = "answerai-colbert-small-v1";
  const auto report =
      wait(ingest_path(*retrieval_, directory_.get(), (kConfigs / "notes").string(), options, {}));
  ASSERT_TRUE(report.has_value()) << report.error().line();
  EXPECT_EQ(retrieval_->stats()->namespaces.at(0).spaces.at(0).space.metric, VectorMetric::kMaxSim);
  const Value question = *parse_json(
      R"({"namespace": "notes", "query": "Who built the lighthouse?", "topK": 3, "mode": "lateInteraction"})");
  const auto found = act(*retrieve_, question);
  ASSERT_TRUE(found.has_value()) << found.error().line();
  EXPECT_EQ(found->get("mode").as_string(), "lateInteraction");
  EXPECT_EQ(found->get("hits").as_array().at(0).get("provenance").get("source").as_string(), "lighthouse.md");
  EXPECT_TRUE(found->get("hits").as_array().at(0).get("rerank").is_null());

  const auto reranked = act(*retrieve_, *parse_json(R"({"namespace": "notes", "mode": "lexical", "topK": 2,
      "query": "What is the name of the keeper's dog?",
      "rerank": {"model": "ms-marco-minilm-l12-v2", "candidates": 10}})"));
  ASSERT_TRUE(reranked.has_value()) << reranked.error().line();
  const auto& hits = reranked->get("hits").as_array();
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_EQ(hits[0].get("provenance").get("source").as_string(), "keeper.md");
  EXPECT_EQ(hits[0].get("rerank").get("rank").as_integer(), 1);
  EXPECT_EQ(hits[0].get("score").as_number(), hits[0].get("rerank").get("score").as_number());
  EXPECT_GT(hits[0].get("score").as_number(), hits[1].get("score").as_number());

  const auto wrong_model =
      act(*retrieve_, question.with("rerank", *parse_json(R"({"model": "all-minilm-l6-v2"})")));
  ASSERT_FALSE(wrong_model.has_value());
  EXPECT_EQ(wrong_model.error().kind, ErrorKind::kUnsupported);
  const auto wrong_mode = act(*retrieve_, question.with("mode", "dense").with("model", options.model));
  ASSERT_FALSE(wrong_mode.has_value());
  EXPECT_NE(wrong_mode.error().line().find("lateInteraction"), std::string::npos)
      << wrong_mode.error().line();
}

TEST_F(MemoryWithEncoder, SourceFilesAreCutIntoFunctionsByTheirLanguage) {
  const fs::path folder = dir_ / "project";
  fs::create_directories(folder / "src/build");
  const auto write = [&](const char* name, const std::string& text) { std::ofstream(folder / name) << text; };
  std::string python = "\"\"\"Tools for tides.\"\"\"\nimport math\nimport datetime\n\n\n";
  for (const char* name : {"high_water", "low_water", "moon_phase"})
    python += "def " + std::string(name) + "(day, harbour):\n    \"\"\"Hours of the " + name + ".\"\"\"\n" +
              "    total = 0.0\n    for hour in range(24):\n        total += math.cos(hour / 12.4 * 2 * "
              "math.pi)\n    return datetime.timedelta(hours=total + day + harbour.offset)\n\n\n";
  write("src/tides", python + python);  // no ending: the classifier tells
  write("src/notes.txt",
        "Nothing but a few words about the sea and the boats that lie in the harbour today.");
  write("src/build/made.py", python);
  IngestOptions options;
  options.name_space = "code";
  options.code = true;
  options.code_split.max_bytes = 400;
  const auto report = wait(ingest_path(*retrieval_, directory_.get(), folder.string(), options, {}));
  ASSERT_TRUE(report.has_value()) << report.error().line();
  EXPECT_EQ(report->files, 1u);
  EXPECT_EQ(report->passed_over, 1u);
  const auto found = act(*retrieve_, *parse_json(R"({"namespace": "code", "topK": 1, "mode": "hybrid",
      "query": "When does the moon change its phase?", "filter": {"kind": "function"}})"));
  ASSERT_TRUE(found.has_value()) << found.error().line();
  const Value& about = found->get("hits").as_array().at(0).get("metadata");
  EXPECT_EQ(about.get("symbol").as_string(), "moon_phase");
  EXPECT_EQ(about.get("language").as_string(), "python");
  EXPECT_EQ(about.get("path").as_string(), "src/tides");
  EXPECT_GT(about.get("endLine").as_integer(), about.get("line").as_integer());
}

TEST_F(MemoryWithEncoder, VectorsOfOtherWeightsAreRefused) {
  RememberOptions options;
  options.space = VectorSpace{"all-minilm-l6-v2", "weights of last year", 384, VectorMetric::kCosine};
  ASSERT_TRUE(retrieval_->remember("old", {{"a text", "", {}, {}, std::vector<float>(384, 0.5f)}}, options));
  const auto found = act(*retrieve_, *parse_json(R"({"namespace": "old", "query": "a text"})"));
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().kind, ErrorKind::kInvalid);
  const auto written = act(*remember_, *parse_json(R"({"namespace": "old", "items": ["another"]})"));
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().kind, ErrorKind::kInvalid);
}

}  // namespace
}  // namespace consort
