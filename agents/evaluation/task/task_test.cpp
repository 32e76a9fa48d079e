#include "agents/evaluation/task/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace consort {
namespace {

using ::testing::HasSubstr;

const std::string kHeader = "{\"task\": \"t\", \"kind\": \"choices\"}\n";

std::string findings(const TaskReading& reading) {
  return reading.findings.empty() ? "none" : findings_error(reading.findings, "f.jsonl").line();
}

TEST(Task, ChoicesAreReadWithTheirGold) {
  const auto r = read_task(
      kHeader +
      "{\"id\": \"1\", \"question\": \"Which {one}?\", \"options\": [\"x\", \"y\"], \"gold\": 1}\n\n"
      "{\"question\": \"q\", \"options\": [\"x\", \"y\"], \"gold\": \"x\", \"split\": \"fit\"}\n");
  ASSERT_EQ(findings(r), "none");
  ASSERT_EQ(r.task.items.size(), 2u);
  EXPECT_EQ(r.task.items[0].gold, 1u);
  EXPECT_EQ(r.task.items[1].gold, 0u);
  EXPECT_EQ(r.task.items[1].id, "line-4");
  EXPECT_EQ(fill_prompt("Q: {question} {options} {other}", r.task.items[0]),
            "Q: Which {one}? A. x\nB. y {other}");
}

TEST(Task, EveryMistakeIsNamedWithLineAndPointer) {
  const auto r =
      read_task(kHeader +
                "{\"question\": \"q\", \"options\": [\"x\", \"y\"], \"gold\": 2}\n"
                "{\"question\": \"q\", \"options\": [\"x\"], \"gold\": 0}\n"
                "{\"question\": \"q\", \"options\": [\"x\", \"y\"], \"gold\": 0, \"glod\": 1}\n"
                "not json\n"
                "{\"id\": \"a\", \"question\": \"q\", \"options\": [\"x\", \"y\"], \"gold\": 0}\n"
                "{\"id\": \"a\", \"question\": \"q\", \"options\": [\"x\", \"y\"], \"gold\": 0}\n");
  const std::string text = findings(r);
  for (const char* part : {"line 2 /gold", "line 3 /options", "line 4", "glod", "line 5", "line 7 /id"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(findings(read_task("")), HasSubstr("header"));
  EXPECT_THAT(findings(read_task("{\"task\": \"t\", \"kind\": \"quiz\"}\n")), HasSubstr("line 1 /kind"));
  EXPECT_THAT(findings(read_task(kHeader)), HasSubstr("no items"));
}

TEST(Task, OtherKinds) {
  auto r =
      read_task("{\"id\": \"1\", \"text\": \"a\", \"gold\": \"y\"}\n{\"text\": \"b\", \"gold\": \"x\"}\n",
                "{\"task\": \"t\", \"kind\": \"labels\", \"head\": \"centroid\"}");
  ASSERT_EQ(findings(r), "none");
  EXPECT_EQ(r.task.labels, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(r.task.items[0].gold, 1u);
  EXPECT_EQ(r.task.head, LabelHead::kCentroid);
  r = read_task("{\"question\": \"2+2?\", \"gold\": 4}\n",
                "{\"task\": \"t\", \"kind\": \"answer\", \"answer\": \"number\"}");
  ASSERT_EQ(findings(r), "none");
  EXPECT_EQ(r.task.items[0].gold_text, "4");
  r = read_task(
      "{\"doc\": \"d\", \"text\": \"x\"}\n{\"query\": \"q\", \"text\": \"y\", \"relevant\": {\"d\": 2}}\n",
      "{\"task\": \"t\", \"kind\": \"retrieval\"}");
  ASSERT_EQ(findings(r), "none");
  EXPECT_EQ(r.task.items[0].relevant.at("d"), 2);
  r = read_task(
      "{\"doc\": \"d\", \"text\": \"x\"}\n{\"query\": \"q\", \"text\": \"y\", \"relevant\": [\"e\"]}\n",
      "{\"task\": \"t\", \"kind\": \"retrieval\"}");
  EXPECT_THAT(findings(r), HasSubstr("/relevant"));
  r = read_task("{\"a\": \"x\", \"b\": \"y\", \"gold\": true}\n", "{\"task\": \"t\", \"kind\": \"pairs\"}");
  ASSERT_EQ(findings(r), "none");
  EXPECT_EQ(r.task.items[0].gold_number, 1);
  r = read_task("{\"text\": \"x\", \"file\": \"y\"}\n", "{\"task\": \"t\", \"kind\": \"text\"}");
  EXPECT_NE(findings(r), "none");
}

TEST(Task, WordingsOfATextStandInFrontOfIt) {
  const std::string item = "{\"text\": \"x\"}\n";
  const auto with = [&](const std::string& more) {
    return read_task("{\"task\": \"t\", \"kind\": \"text\"" + more + "}\n" + item);
  };
  auto r = with("");
  ASSERT_EQ(findings(r), "none");
  EXPECT_EQ(r.task.pieces, TextPieces::kBytes);
  ASSERT_EQ(r.task.prompts.size(), 4u);
  EXPECT_EQ(lead_in(r.task.prompts[0]), "");
  for (std::size_t i = 1; i < 4; ++i) EXPECT_GT(lead_in(r.task.prompts[i])->size(), 3u);
  r = with(", \"pieces\": \"tokens\", \"prompts\": [\"{text}\", \"Read {this}:\\n{text}\"]");
  ASSERT_EQ(findings(r), "none");
  EXPECT_EQ(r.task.pieces, TextPieces::kTokens);
  EXPECT_EQ(lead_in(r.task.prompts[1]), "Read {this}:\n");
  EXPECT_THAT(findings(with(", \"prompts\": [\"Read: {text}\"]")), HasSubstr("/prompts/0"));
  EXPECT_THAT(findings(with(", \"prompts\": [\"{text}\", \"{text} {text}\"]")), HasSubstr("/prompts/1"));
  EXPECT_THAT(findings(with(", \"prompts\": [\"{text}\", \"no part\"]")), HasSubstr("ends with {text}"));
  EXPECT_THAT(findings(with(", \"pieces\": \"words\"")), HasSubstr("line 1 /pieces"));
}

TEST(Task, SplitsKeepGroupsTogetherAndDoNotDependOnNeighbours) {
  Task task;
  for (int i = 0; i < 400; ++i) {
    TaskItem item;
    item.id = std::to_string(i);
    item.group = std::to_string(i / 4);
    task.items.push_back(item);
  }
  Task half = task;
  half.items.resize(200);
  ASSERT_TRUE(deal_splits(task, 0.3, 1));
  ASSERT_TRUE(deal_splits(half, 0.3, 1));
  int fit = 0;
  for (std::size_t i = 0; i < task.items.size(); ++i) {
    EXPECT_EQ(task.items[i].split, task.items[i / 4 * 4].split);
    if (i < 200) {
      EXPECT_EQ(task.items[i].split, half.items[i].split);
    }
    fit += task.items[i].split == kFitSplit;
  }
  EXPECT_NEAR(fit, 120, 60);
  EXPECT_FALSE(deal_splits(task, 1.5, 1));
}

TEST(Task, MutatedFilesAreReadOrRefused) {
  const std::string good =
      kHeader +
      "{\"id\": \"1\", \"question\": \"q\", \"options\": [\"x\", \"y\"], \"gold\": 1, \"split\": \"fit\"}\n"
      "{\"question\": \"q\", \"options\": [\"x\", \"y\", \"z\"], \"gold\": \"z\"}\n";
  std::mt19937 random(2);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good;
    for (int k = 0; k < 1 + i % 4; ++k) bad[random() % bad.size()] = static_cast<char>(random() % 128);
    const auto r = read_task(bad);
    refused += !r.findings.empty();
    for (const TaskItem& item : r.task.items) EXPECT_LT(item.gold, item.options.size());
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace consort
