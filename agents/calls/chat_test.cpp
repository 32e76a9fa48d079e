// call: chat over a bus: prompts of turns, letters between agents, repeated attempts, and a run that another
// process goes on with.
#include <gtest/gtest.h>

#include "agents/calls/call_kinds.h"
#include "agents/calls/scripted_models.h"
#include "memory/store/store.h"
#include "memory/store/temporary_store.h"

namespace consort {

std::shared_ptr<TaskHandler> make_chat_call(CallServices services);

namespace {

std::string last_line(const GenerateRequest& r) {
  return "re: " + r.prompt.messages.back().content;
}

class ChatCalls : public ::testing::Test {
 protected:
  ChatCalls() {
    store_ = std::move(*Store::open(dir_ / "s"));
    agents_ = *parse_json(R"({
      "ann": {"model": "m", "instructions": "Be short.", "generation": {"maxTokens": 7, "temperature": 0}},
      "bob": {"model": "m", "template": "plain"}, "eve": {"model": "m"}})");
    services_.channel = &channel_;
    services_.store = store_.get();
    start();
  }
  // A process begins: no mailbox is in memory.
  void start() {
    chat_.reset();
    models_.reset();
    models_ = std::make_unique<mock::ScriptedModels>(channel_);
    models_->add("m", {.write = last_line, .log_likelihood = {}, .failure = {}});
    services_.models = models_.get();
    chat_ = make_chat_call(services_);
  }
  Result<TaskOutcome> turn(std::uint64_t seed, const char* with, const std::string& run = "r1",
                           bool commit = true) {
    TaskContext context;
    context.run_id = run;
    context.task_pointer = "/do/0/turn";
    context.seed = seed;
    context.agents = &agents_;
    std::vector<StoreWrite> writes;
    context.write = [&writes](StoreWrite w) { writes.push_back(std::move(w)); };
    auto outcome = mock::act(*chat_, context, *parse_json(with));
    if (outcome && commit) {
      EXPECT_TRUE(store_->commit(writes, Durability::kAsync).has_value());
    }
    return outcome;
  }
  std::vector<ChatMessage> asked() { return models_->written("m").back().prompt.messages; }

  testing::TemporaryDirectory dir_;
  mock::TestChannel channel_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<mock::ScriptedModels> models_;
  Value agents_;
  CallServices services_;
  std::shared_ptr<TaskHandler> chat_;
};

TEST_F(ChatCalls, ATurnSeesInstructionsConversationAndMessage) {
  auto first = turn(1, R"({"agent": "ann", "message": "one"})");
  ASSERT_TRUE(first.has_value()) << first.error().line();
  EXPECT_EQ(first->output.get("text").as_string(), "re: one");
  EXPECT_EQ(first->output.get("agent").as_string(), "ann");
  EXPECT_EQ(first->usage.get("tokens").as_integer(), 12);
  ASSERT_TRUE(turn(2, R"({"agent": "ann", "message": "two", "maxTokens": 3})").has_value());
  const auto messages = asked();
  ASSERT_EQ(messages.size(), 4u);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(messages[0].content, "Be short.");
  EXPECT_EQ(messages[1].content, "one");
  EXPECT_EQ(messages[2].role, "assistant");
  EXPECT_EQ(messages[2].content, "re: one");
  EXPECT_EQ(messages[3].content, "two");
  EXPECT_EQ(models_->written("m").front().max_tokens, 7);
  EXPECT_EQ(models_->written("m").back().max_tokens, 3);
  EXPECT_EQ(models_->written("m").back().sampling.temperature, 0);
}

TEST_F(ChatCalls, LettersArriveOnceAndInTheOrderOfTheirSenders) {
  ASSERT_TRUE(turn(1, R"({"agent": "eve", "message": "hi", "to": ["bob", "ann"]})").has_value());
  ASSERT_TRUE(turn(2, R"({"agent": "ann", "message": "ho", "to": "bob"})").has_value());
  ASSERT_TRUE(turn(3, R"({"agent": "bob"})").has_value());
  auto messages = asked();
  ASSERT_EQ(messages.size(), 1u);
  // ann's letter answers eve's, which stood in her mailbox with the message behind it.
  EXPECT_EQ(messages[0].content, "ann: re: ho\n\neve: re: hi");
  EXPECT_TRUE(models_->written("m").back().prompt.plain_template);
  const auto again = turn(4, R"({"agent": "bob"})");
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().kind, ErrorKind::kInvalid);
  ASSERT_FALSE(turn(5, R"({"agent": "bob"})", "another run").has_value());
}

TEST_F(ChatCalls, ARepeatedTurnReplacesItself) {
  ASSERT_TRUE(turn(1, R"({"agent": "eve", "message": "hi", "to": "ann"})").has_value());
  ASSERT_TRUE(turn(2, R"({"agent": "ann", "to": "eve"})", "r1", false).has_value());
  ASSERT_TRUE(turn(2, R"({"agent": "ann", "to": "eve"})").has_value());
  EXPECT_EQ(asked().back().content, "eve: re: hi");
  EXPECT_EQ(asked().size(), 2u);
  ASSERT_TRUE(turn(3, R"({"agent": "eve"})").has_value());
  EXPECT_EQ(asked().back().content, "ann: re: eve: re: hi");
}

TEST_F(ChatCalls, AnotherProcessGoesOnWithCommittedTurns) {
  ASSERT_TRUE(turn(1, R"({"agent": "ann", "message": "one", "to": "bob"})").has_value());
  ASSERT_TRUE(turn(2, R"({"agent": "ann", "message": "lost", "to": "bob"})", "r1", false).has_value());
  start();
  ASSERT_TRUE(turn(3, R"({"agent": "ann", "message": "two"})").has_value());
  EXPECT_EQ(asked().size(), 4u);
  EXPECT_EQ(asked()[2].content, "re: one");
  ASSERT_TRUE(turn(4, R"({"agent": "bob"})").has_value());
  EXPECT_EQ(asked().back().content, "ann: re: one");
  start();
  EXPECT_FALSE(turn(5, R"({"agent": "bob"})").has_value());  // read is read
}

TEST_F(ChatCalls, UnknownAgentsAreNamedBeforeAnythingRuns) {
  for (const char* with :
       {R"({"agent": "zoe", "message": "x"})", R"({"agent": "ann", "message": "x", "to": "zoe"})",
        R"({"agent": "ann", "message": "x", "messages": [{"role": "user", "content": "y"}]})"}) {
    const auto outcome = turn(1, with);
    ASSERT_FALSE(outcome.has_value()) << with;
    EXPECT_EQ(outcome.error().kind, ErrorKind::kInvalid);
  }
  EXPECT_TRUE(models_->written("m").empty());
}

}  // namespace
}  // namespace consort
