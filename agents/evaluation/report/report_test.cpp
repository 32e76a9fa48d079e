#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "agents/evaluation/analysis/hand_made.h"
#include "agents/evaluation/report/page.h"

namespace consort {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct Reported {
  std::vector<Figure> figures;
  std::string page;
};

Reported reported(HandMade& made) {
  const auto contest = made.contest();
  EXPECT_TRUE(contest) << contest.error().line();
  JudgeOptions options;
  options.resamples = 200;
  const auto results = judge(*contest, made.task, options);
  EXPECT_TRUE(results) << results.error().line();
  Reported out;
  out.figures = evaluation_figures(*contest, *results);
  out.page = evaluation_page(*results, out.figures);
  return out;
}

void two_members(HandMade& made, const std::string& first) {
  add_choice_items(made, 40, 60);
  add_choice_member(made, first, 5, 0, 0.6);
  add_choice_member(made, "b", 4, 1, 0.7);
  for (PredictionRow& row : made.rows[1]) row.flop = 700;
}

TEST(Report, HasEveryFigureOfChoicesWithItsNumbers) {
  HandMade made(TaskKind::kChoices);
  two_members(made, "a");
  const Reported r = reported(made);
  std::vector<std::string> names;
  for (const Figure& f : r.figures) {
    names.push_back(f.name);
    EXPECT_THAT(f.csv, HasSubstr("\r\n")) << f.name;
    EXPECT_THAT(f.csv, Not(HasSubstr("nan"))) << f.name;
    EXPECT_THAT(f.drawing.svg(f.title, true), HasSubstr("<style>"));
    EXPECT_THAT(f.drawing.svg(f.title, false), Not(HasSubstr("nan"))) << f.name;
    EXPECT_THAT(r.page, HasSubstr("download=\"" + f.name + ".svg\""));
    EXPECT_THAT(r.page, HasSubstr("download=\"" + f.name + ".csv\""));
  }
  EXPECT_THAT(names, ElementsAre("differences", "reliability", "risk-coverage", "cost-quality", "members",
                                 "items", "weights"));
}

TEST(Report, LoadsNothingAndRunsNothing) {
  HandMade made(TaskKind::kChoices);
  two_members(made, "a");
  const std::string page = reported(made).page;
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("src=")));
  EXPECT_THAT(page, Not(HasSubstr("url(")));
  EXPECT_THAT(page, Not(HasSubstr("@import")));
  for (std::size_t at = page.find("href="); at != std::string::npos; at = page.find("href=", at + 1))
    EXPECT_EQ(page.substr(at, 11), "href=\"data:");
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme: dark"));
}

TEST(Report, NamesAreTextNeverMarkup) {
  HandMade made(TaskKind::kChoices);
  two_members(made, "<script>alert(\"x\")</script>&");
  made.task.description = "<img onerror=y>";
  const std::string page = reported(made).page;
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, HasSubstr("&lt;img onerror=y&gt;"));
}

TEST(Report, TheSameResultsGiveTheSamePage) {
  HandMade x(TaskKind::kChoices), y(TaskKind::kChoices);
  two_members(x, "a");
  two_members(y, "a");
  EXPECT_EQ(reported(x).page, reported(y).page);
}

TEST(Drawing, TicksAreRound) {
  EXPECT_THAT(round_ticks(0, 1, 5), ElementsAre(0, 0.2, 0.4, 0.6000000000000001, 0.8, 1));
  EXPECT_THAT(round_ticks(-3, 12, 4), ElementsAre(0, 5, 10));
  EXPECT_THAT(logarithmic_ticks(0.9, 120), ElementsAre(1, 10, 100));
  EXPECT_THAT(logarithmic_ticks(1.5, 6), ElementsAre(2, 5));
  EXPECT_EQ(short_number(0.25), "0.25");
  EXPECT_EQ(short_number(2.5e9), "2.5G");
  EXPECT_EQ(short_number(12000), "12k");
  EXPECT_EQ(short_number(3e-6), "3e-06");
}

TEST(Drawing, WordsAreCutAtCharactersAndEscaped) {
  EXPECT_EQ(shortened("abcdef", 6), "abcdef");
  EXPECT_EQ(shortened("abcdefg", 6), "abcde\u2026");
  EXPECT_EQ(shortened("\u00e4\u00e4\u00e4", 2), "\u00e4\u2026");
  EXPECT_EQ(xml_text("a<b & \"c\"\x01"), "a&lt;b &amp; &quot;c&quot;");
}

}  // namespace
}  // namespace consort
