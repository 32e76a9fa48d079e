// retrieve and remember against a real store: the steps of their case.json, and the rule that remembered
// items commit with the task and not before.
#include <fstream>
#include <future>
#include <iterator>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "agents/calls/call_kinds.h"
#include "agents/calls/memory_values.h"
#include "memory/store/store.h"
#include "memory/store/temporary_store.h"

namespace consort {

std::shared_ptr<TaskHandler> make_retrieve_call(CallServices services);
std::shared_ptr<TaskHandler> make_remember_call(CallServices services);

namespace {

class MemoryCalls : public ::testing::Test {
 protected:
  MemoryCalls() {
    store_ = std::move(*Store::open(dir_ / "s"));
    retrieval_ = std::move(*Retrieval::open(*store_));
    CallServices services;
    services.store = store_.get();
    services.retrieval = retrieval_.get();
    retrieve_ = make_retrieve_call(services);
    remember_ = make_remember_call(services);
  }

  // Runs one call as the runner does; the writes it asks for are kept.
  Result<Value> act(const std::string& kind, const Value& with) {
    TaskContext context;
    context.run_id = "run-1";
    context.task_pointer = "/do/0";
    context.write = [this](StoreWrite write) { writes_.push_back(std::move(write)); };
    TaskHandler& handler = kind == "retrieve" ? *retrieve_ : *remember_;
    boost::asio::io_context io;
    std::optional<Result<TaskOutcome>> outcome;
    boost::asio::co_spawn(io, handler.run(context, with),
                          [&](std::exception_ptr e, Result<TaskOutcome> result) {
                            EXPECT_FALSE(e);
                            outcome = std::move(result);
                          });
    io.run();
    if (!*outcome) return forward_error(*outcome);
    return (*outcome)->output;
  }
  void commit() {
    ASSERT_TRUE(store_->commit(writes_, Durability::kAsync).has_value());
    writes_.clear();
  }

  // Everything that `expected` names is in `actual`; lists have the same length.
  static bool holds(const Value& actual, const Value& expected) {
    if (expected.type() == Value::Type::kObject) {
      for (const auto& [key, value] : expected.as_object()) {
        const Value* found = actual.find(key);
        if (!found || !holds(*found, value)) return false;
      }
      return actual.type() == Value::Type::kObject;
    }
    if (expected.is_array()) {
      if (!actual.is_array() || actual.size() != expected.size()) return false;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        if (!holds(actual.as_array()[i], expected.as_array()[i])) return false;
      }
      return true;
    }
    return actual == expected;
  }

  void run_case(const std::string& folder) {
    const std::string path = std::string(CONSORT_SOURCE_DIR) + "/agents/calls/" + folder + "/case.json";
    std::ifstream in(path);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto document = parse_json(text, path);
    ASSERT_TRUE(document.has_value()) << document.error().line();
    for (const Value& step : document->get("steps").as_array()) {
      const auto output = act(step.get("call").as_string(), step.get("with"));
      if (const Value* error = step.find("error")) {
        ASSERT_FALSE(output.has_value()) << write_json(step);
        EXPECT_EQ(error_kind_name(output.error().kind), error->as_string()) << output.error().line();
        continue;
      }
      ASSERT_TRUE(output.has_value()) << output.error().line() << "\n" << write_json(step);
      EXPECT_TRUE(holds(*output, step.get("output")))
          << write_json_pretty(*output) << "\nwanted " << write_json(step.get("output"));
      commit();
    }
  }

  testing::TemporaryDirectory dir_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Retrieval> retrieval_;
  std::shared_ptr<TaskHandler> retrieve_, remember_;
  std::vector<StoreWrite> writes_;
};

TEST_F(MemoryCalls, RetrieveCase) {
  run_case("retrieve");
}
TEST_F(MemoryCalls, RememberCase) {
  run_case("remember");
}

TEST_F(MemoryCalls, NothingIsRememberedBeforeTheTaskCommits) {
  const auto with = *parse_json(R"({"namespace": "n", "model": null, "items": ["oak and larch"]})");
  const auto query = *parse_json(R"({"namespace": "n", "query": "oak", "mode": "lexical"})");
  ASSERT_TRUE(act("remember", with).has_value());
  EXPECT_EQ(act("retrieve", query)->get("hits").size(), 0u);
  EXPECT_FALSE(writes_.empty());
  commit();
  EXPECT_EQ(act("retrieve", query)->get("hits").size(), 1u);
}

TEST(MemoryValues, FiltersReadFromValues) {
  const auto read = [](const char* text) { return read_filter(*parse_json(text)); };
  EXPECT_TRUE(read(R"({})"));
  EXPECT_TRUE(read(R"({"a": 1, "b": {"ne": null}, "c": {"exists": false}, "and": [{"d": ["x"]}]})"));
  for (const char* bad :
       {R"([])", R"({"a": {"gt": {}}})", R"({"a": {"in": 3}})", R"({"or": {}})", R"({"not": []})",
        R"({"a": {"exists": 1}})", R"({"@unknown": 1})", R"({"a": [1]})"}) {
    const auto filter = read(bad);
    ASSERT_FALSE(filter.has_value()) << bad;
    EXPECT_EQ(filter.error().kind, ErrorKind::kInvalid);
  }
  std::string deep = "{\"a\": 1}";
  for (int i = 0; i < 60; ++i) deep = "{\"not\": " + deep + "}";
  EXPECT_FALSE(read(deep.c_str()).has_value());
}

TEST(MemoryValues, MetadataThereAndBack) {
  const auto value = *parse_json(R"({"a": null, "b": true, "c": -3, "d": 0.25, "e": "ü", "f": ["x", "y"]})");
  const auto metadata = read_metadata(value);
  ASSERT_TRUE(metadata.has_value());
  EXPECT_EQ(metadata_value(*metadata), value);
  EXPECT_EQ(time_text(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(time_text(1767323045678901), "2026-01-02T03:04:05.678901Z");
}

}  // namespace
}  // namespace consort
