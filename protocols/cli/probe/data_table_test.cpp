// Tables for probes: RFC 4180 to the letter, JSON Lines, labels as numbers and classes, and errors that say
// where.
#include <gtest/gtest.h>

#include <cmath>

#include "models/formats/testing/synthetic_files.h"
#include "protocols/cli/probe/csv.h"
#include "protocols/cli/probe/data_table.h"
#include "protocols/cli/probe/examples.h"
#include "protocols/cli/probe/targets.h"
#include "tests/fuzz/mutate.h"

namespace consort {
namespace {

using Records = std::vector<std::vector<std::string>>;

Result<Records> records(std::string_view text, char separator = ',') {
  CsvReader reader(text, "t.csv", separator);
  Records out;
  std::vector<std::string> fields;
  for (;;) {
    CONSORT_TRY(there, reader.next(fields));
    if (!there) return out;
    out.push_back(fields);
  }
}

TEST(Csv, ReadsWhatRfc4180Describes) {
  EXPECT_EQ(*records("a,b\r\n1,2\r\n"), (Records{{"a", "b"}, {"1", "2"}}));
  EXPECT_EQ(*records("a,b\n1,2"), (Records{{"a", "b"}, {"1", "2"}}));
  EXPECT_EQ(*records("\"x, y\",\"say \"\"hi\"\"\"\n"), (Records{{"x, y", "say \"hi\""}}));
  EXPECT_EQ(*records("\"two\nlines\",\"\"\n,\n"), (Records{{"two\nlines", ""}, {"", ""}}));
  EXPECT_EQ(*records("\xEF\xBB\xBF\"a\",b\n"), (Records{{"a", "b"}}));
  EXPECT_EQ(*records("a\n\n\r\nb\n"), (Records{{"a"}, {"b"}}));
  EXPECT_EQ(*records("a\rb,c\n"), (Records{{"a\rb", "c"}}));
  EXPECT_EQ(*records("a,b\t\"c\td\"\n"
                     "1\t2\n",
                     '\t'),
            (Records{{"a,b", "c\td"}, {"1", "2"}}));
  EXPECT_EQ(records("")->size(), 0u);
}

TEST(Csv, SaysWhereAMistakeStands) {
  const auto line = [](std::string_view text) { return records(text).error().line(); };
  EXPECT_NE(line("a,b\n\"1\n2\",x\"y\n").find("t.csv, line 3, field 2"), std::string::npos)
      << line("a,b\n\"1\n2\",x\"y\n");
  EXPECT_NE(line("a,\"b").find("not closed"), std::string::npos);
  EXPECT_NE(line("\"a\"b\n").find("behind a closing quote"), std::string::npos);
  EXPECT_NE(line("a\n\xff\n").find("UTF-8"), std::string::npos);
}

TEST(Csv, SurvivesAnyBytes) {
  const std::string whole = "name,\"a \"\"b\"\"\",c\r\n1,\"x\ny\",\n,,\"\"\n\xC3\xA9,2,3\n";
  testing::Mutator mutator(17);
  std::size_t read = 0;
  for (int i = 0; i < 4000; ++i) {
    const auto out = records(mutator.mutate(whole, whole.size()));
    read += out.has_value();
    if (!out) {
      EXPECT_FALSE(out.error().where.empty());
    }
  }
  EXPECT_GT(read, 500u);
  EXPECT_LT(read, 4000u);
}

class Tables : public ::testing::Test {
 protected:
  Result<DataTable> table(const std::string& name, std::string_view text) {
    return read_data_table(folder_.file(name, text));
  }
  testing::TemporaryFolder folder_;
};

TEST_F(Tables, RowsAreNamedByRowAndLine) {
  const auto csv = table("d.csv", "smiles,y\n\"C\nC\",1\nO,2\n");
  ASSERT_TRUE(csv) << csv.error().line();
  EXPECT_EQ(csv->rows.size(), 2u);
  EXPECT_NE(csv->where(1, "y").find("d.csv, row 2 (line 4), column 'y'"), std::string::npos);
  EXPECT_NE(table("e.csv", "a,b\n1,2\n1\n").error().line().find("row 2 (line 3)"), std::string::npos);
  EXPECT_FALSE(table("f.csv", "a,a\n1,2\n"));
  EXPECT_FALSE(table("g.csv", ""));
  EXPECT_FALSE(csv->check_column("z"));
  EXPECT_NE(csv->check_column("z").error().hint.find("'smiles', 'y'"), std::string::npos);
  const auto lines = table("d.jsonl", "{\"a\": 1}\n\n{\"b\": [1, null]}\n");
  ASSERT_TRUE(lines) << lines.error().line();
  EXPECT_EQ(lines->columns, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(lines->row_lines, (std::vector<std::size_t>{1, 3}));
  EXPECT_FALSE(table("e.jsonl", "[1]\n"));
  EXPECT_NE(table("f.jsonl", "{}\n{\n").error().line().find("line 2"), std::string::npos);
  EXPECT_EQ(read_data_table(folder_.path() + "/none.csv").error().kind, ErrorKind::kNotFound);
}

TEST_F(Tables, LabelsAreNumbersOrClassesWithGaps) {
  const auto csv =
      table("d.csv", "x,toxic,y,n,word\na,1,0.5,3,hot\nb,,1.5,3,NA\nc,0,,4,cold\nd,10,-2e1,x,hot\n");
  ASSERT_TRUE(csv);
  TargetOptions options;
  options.missing = {"NA"};
  const auto toxic = read_target(*csv, "toxic", options);
  ASSERT_TRUE(toxic) << toxic.error().line();
  EXPECT_EQ(toxic->kind, ProbeKind::kLogistic);
  EXPECT_EQ(toxic->labels, (std::vector<std::string>{"0", "1", "10"}));
  EXPECT_TRUE(toxic->missing_in(1));
  EXPECT_EQ(toxic->values[3][0], 2);
  const auto y = read_target(*csv, "y", options);
  ASSERT_TRUE(y);
  EXPECT_EQ(y->kind, ProbeKind::kRidge);
  EXPECT_EQ(y->values[3][0], -20);
  EXPECT_TRUE(std::isnan(y->values[2][0]));
  EXPECT_EQ(read_target(*csv, "word", options)->labels, (std::vector<std::string>{"cold", "hot"}));
  options.kind = ProbeKind::kRidge;
  const auto wrong = read_target(*csv, "n", options);
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().line().find("'x' is not a number"), std::string::npos);
  EXPECT_NE(wrong.error().line().find("row 4 (line 5), column 'n'"), std::string::npos);
  EXPECT_FALSE(read_target(*csv, "none", options));
}

TEST_F(Tables, PartsHaveALabelEach) {
  const auto lines = table("d.jsonl",
                           "{\"g\": {\"nodes\": [[1], [2]]}, \"y\": [0, null]}\n{\"g\": {}, \"y\": null}\n"
                           "{\"g\": {}, \"y\": [true, \"1\", 1]}\n");
  ASSERT_TRUE(lines) << lines.error().line();
  TargetOptions options;
  options.parts = true;
  const auto y = read_target(*lines, "y", options);
  ASSERT_TRUE(y) << y.error().line();
  EXPECT_EQ(y->labels, (std::vector<std::string>{"0", "1", "true"}));
  EXPECT_EQ(y->values[0].size(), 2u);
  EXPECT_TRUE(std::isnan(y->values[0][1]));
  EXPECT_TRUE(y->missing_in(1));
  EXPECT_EQ(y->values[2], (std::vector<double>{2, 1, 1}));
  EXPECT_FALSE(read_target(*lines, "g", options));
  options.parts = false;
  EXPECT_FALSE(read_target(*lines, "y", options));
}

TEST_F(Tables, ItemsAreReadAsTheirKind) {
  const auto csv =
      table("d.csv", "graph,smiles\n\"{\"\"nodes\"\": [[1]], \"\"edges\"\": []}\",CCO\n,\n{,C\n");
  ASSERT_TRUE(csv) << csv.error().line();
  const auto graph = table_item(*csv, 0, {"graph", guessed_item_kind("graph")});
  ASSERT_TRUE(graph) << graph.error().line();
  EXPECT_EQ(graph->kind, InputKind::kGraph);
  const auto molecule = table_item(*csv, 0, {"smiles", guessed_item_kind("smiles")});
  ASSERT_TRUE(molecule);
  EXPECT_EQ(molecule->kind, InputKind::kMolecule);
  EXPECT_EQ(molecule->text, "CCO");
  EXPECT_NE(table_item(*csv, 1, {"smiles", "smiles"}).error().line().find("row 2 (line 3)"),
            std::string::npos);
  EXPECT_FALSE(table_item(*csv, 2, {"graph", "graph"}));
  EXPECT_EQ(guessed_item_kind("name"), "text");
}

}  // namespace
}  // namespace consort
