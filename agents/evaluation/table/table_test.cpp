#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>

#include "agents/evaluation/table/numpy_file.h"
#include "agents/evaluation/table/prediction_log.h"
#include "agents/evaluation/table/table_export.h"
#include "memory/store/temporary_store.h"

namespace consort {
namespace {

using ::testing::HasSubstr;

PredictionRow sample(std::string item, std::string member) {
  PredictionRow row;
  row.item = std::move(item);
  row.member = std::move(member);
  row.split = "test";
  row.prompt_hash = std::string(32, 'a');
  row.weights_digest = "feed";
  row.scores = {-0.1 / 3, -2.5};
  row.bytes = {4, 9};
  row.byte_logprobs = {-0.5f, -1.25f};
  row.text_tokens = {{1, 3}, {-0.25, -1.0 / 3}, {0.5f, 1.5f}, {0.75f, 0.5f}, {0.125f, 0.25f}, {-1, 'x'}};
  row.entropy = 0.3;
  row.tokens = 12;
  row.milliseconds = 3.5;
  row.flop = 1e9;
  row.kernel_path = "avx2";
  return row;
}

TEST(PredictionRow, ComesBackFromBytesAndFromJson) {
  PredictionRow row = sample("q, \"1\"\n", "a");
  row.kind = TaskKind::kAnswer;
  row.answer_raw = "about 18";
  row.answer = "18";
  row.reason = "lastNumber";
  row.seed = 7;
  row.variant = 2;
  const auto back = decode_row(encode_row(row));
  ASSERT_TRUE(back) << back.error().line();
  EXPECT_EQ(to_value(*back, true), to_value(row, true));
  EXPECT_EQ(back->scores, row.scores);
  const auto read = table_from_json_lines(table_json_lines({row, sample("2", "b")}), "x.jsonl");
  ASSERT_TRUE(read) << read.error().line();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].scores, row.scores);
  EXPECT_EQ((*read)[0].byte_logprobs, row.byte_logprobs);
  EXPECT_EQ((*read)[0].text_tokens.logprobs, row.text_tokens.logprobs);
  EXPECT_EQ((*read)[0].text_tokens.firsts, row.text_tokens.firsts);
  EXPECT_EQ((*read)[0].milliseconds, 0);  // no part of what is compared
  EXPECT_EQ(row_fingerprint((*read)[0]), row_fingerprint(row));
}

TEST(PredictionRow, WhatNothingStandsBeforeIsNullInJson) {
  PredictionRow row = sample("1", "a");
  row.byte_logprobs[0] = row.text_tokens.entropies[0] = std::nanf("");
  row.text_tokens.logprobs[0] = std::nan("");
  const auto read = table_from_json_lines(table_json_lines({row}), "x.jsonl");
  ASSERT_TRUE(read) << read.error().line();
  const PredictionRow& back = read->front();
  EXPECT_TRUE(std::isnan(back.byte_logprobs[0]) && std::isnan(back.text_tokens.logprobs[0]));
  EXPECT_TRUE(std::isnan(back.text_tokens.entropies[0]));
  EXPECT_EQ(back.text_tokens.guesses, row.text_tokens.guesses);
  EXPECT_EQ(table_json_lines(*read), table_json_lines({row}));
}

TEST(PredictionRow, RowsOfTheFirstVersionAreRead) {
  PredictionRow row = sample("1", "a");
  row.text_tokens = {};
  std::string old = encode_row(row);
  old.resize(old.size() - 6);  // the six empty lists of the second version
  old[0] = 1;
  const auto back = decode_row(old);
  ASSERT_TRUE(back) << back.error().line();
  EXPECT_EQ(to_value(*back, true), to_value(row, true));
}

TEST(PredictionRow, WrongLinesAreNamed) {
  const auto error = [](std::string_view text) {
    const auto read = table_from_json_lines(text, "x.jsonl");
    return read ? std::string("accepted") : read.error().line();
  };
  EXPECT_THAT(error("{\"item\": \"a\"}\n"), HasSubstr("line 1"));
  EXPECT_THAT(error("\n{\"item\": \"a\", \"member\": \"m\", \"scores\": [1, \"x\"]}\n"),
              HasSubstr("line 2 /scores/1"));
  EXPECT_THAT(error("{\"item\": \"a\", \"member\": \"m\", \"flops\": 1}"), HasSubstr("flops"));
  EXPECT_THAT(error("{\"item\": \"a\", \"member\": \"m\", \"token_ends\": [1, 2], \"token_logprobs\": [-1]}"),
              HasSubstr("/token_ends: the lists about a text's tokens differ in length"));
  EXPECT_THAT(error("nonsense"), HasSubstr("line 1"));
  EXPECT_EQ(error(""), "accepted");
}

TEST(PredictionRow, DamagedRecordsAreRefusedNeverRead) {
  const std::string good = encode_row(sample("item", "member"));
  std::mt19937 random(1);
  for (int i = 0; i < 4000; ++i) {
    std::string bad = good;
    for (int k = 0; k < 3; ++k) bad[random() % bad.size()] = static_cast<char>(random());
    if (i % 3 == 0) bad.resize(random() % bad.size());
    const auto row = decode_row(bad);
    if (row) {
      EXPECT_LE(row->scores.size(), good.size());
    }
  }
  EXPECT_FALSE(decode_row(""));
  EXPECT_FALSE(decode_row("\x63rest"));
}

TEST(PredictionLog, AppendsOnceAndFindsUnderTheSameConditions) {
  testing::TemporaryDirectory directory;
  auto store = Store::open(directory / "store");
  ASSERT_TRUE(store);
  {
    auto log = PredictionLog::open(**store, "task");
    ASSERT_TRUE(log) << log.error().line();
    const std::vector<float> values{1, 2, 3};
    PredictionRow row = sample("1", "a");
    row.embedding = vector_name(values);
    ASSERT_TRUE(log->append({row, sample("2", "a")}, {{vector_name(values), values}}));
    const auto again = log->append({sample("3", "a"), row});
    ASSERT_FALSE(again);
    EXPECT_THAT(again.error().what, HasSubstr("never replaced"));
    EXPECT_EQ(log->rows()->size(), 2u);  // all of a batch or nothing
    EXPECT_FALSE(log->append({sample("4", "a"), sample("4", "a")}));
    PredictionRow other = row;
    other.prompt_hash = std::string(32, 'b');
    EXPECT_FALSE(*log->find(other));
    ASSERT_TRUE(log->append({other}));  // beside the first
  }
  store->reset();
  store = Store::open(directory / "store");
  ASSERT_TRUE(store);
  auto log = PredictionLog::open(**store, "task");
  auto rows = log->rows();
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->size(), 3u);
  auto found = log->find(sample("1", "a"));
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->milliseconds, 3.5);
  EXPECT_EQ(*log->vector((*found)->embedding), (std::vector<float>{1, 2, 3}));
  EXPECT_FALSE(log->vector("none"));
  EXPECT_TRUE(PredictionLog::open(**store, "tas")->rows()->empty());
  EXPECT_FALSE(PredictionLog::open(**store, ""));
}

TEST(NumpyFile, HasTheBytesThatNumpyWrites) {
  // numpy.save of numpy.array([[1.0, -2.5]]) and of numpy.array(["a", "bé"]), numpy 1.24.
  const std::string expected =
      std::string("\x93NUMPY\x01\x00v\x00", 10) +
      "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }                                           "
      "     "
      "          \n" +
      std::string("\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x04\xc0", 16);
  const std::vector<double> values{1.0, -2.5};
  EXPECT_EQ(npy(std::span<const double>(values), {1, 2}), expected);
  const std::string texts = npy({"a", "b\xC3\xA9"});
  EXPECT_THAT(texts, HasSubstr("'<U2'"));
  EXPECT_THAT(texts, HasSubstr("'shape': (2,)"));
  EXPECT_EQ(texts.substr(128), std::string("a\0\0\0\0\0\0\0b\0\0\0\xE9\0\0\0", 16));
  EXPECT_EQ(crc32("123456789"), 0xCBF43926u);
  EXPECT_FALSE(npz({{"a", ""}, {"a", ""}}));
}

TEST(TableExport, CsvQuotesAndNpzHoldsEveryArray) {
  PredictionRow row = sample("q, \"1\"", "a");
  const std::vector<float> values{0.5f, 1.5f};
  row.embedding = vector_name(values);
  const std::string csv = table_csv({row});
  EXPECT_THAT(csv, HasSubstr("\r\n\"q, \"\"1\"\"\",a,0,test,choices,"));
  EXPECT_THAT(csv, ::testing::Not(HasSubstr("3.5,")));
  EXPECT_THAT(timings_csv({row}), HasSubstr(",a,0,3.5\r\n"));
  const auto file = table_npz({row, sample("2", "b")},
                              [&](const std::string&) -> Result<std::vector<float>> { return values; });
  ASSERT_TRUE(file);
  for (const char* name :
       {"item", "member", "scores", "scores_offsets", "byte_logprobs", "token_ends", "token_logprobs",
        "token_entropies", "token_firsts", "token_seconds", "token_guesses", "vectors_2", "embedding_row"})
    EXPECT_THAT(*file, HasSubstr(std::string(name) + ".npy"));
  EXPECT_EQ(*file, *table_npz({row, sample("2", "b")},
                              [&](const std::string&) -> Result<std::vector<float>> { return values; }));
  if (const char* out = std::getenv("CONSORT_NPZ_OUT")) std::ofstream(out, std::ios::binary) << *file;
}

}  // namespace
}  // namespace consort
