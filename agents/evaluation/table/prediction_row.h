// PredictionRow: what one member said about one item of a task, with what it cost and under which conditions.
// Rows are recorded once; every strategy, metric and test is a function of them. Plain data; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/evaluation/task/task_kind.h"
#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort {

// A text by the member's own tokens (kind text, `pieces` tokens). Empty otherwise.
struct TextTokens {
  std::vector<std::int64_t> ends;     // [tokens]: the byte behind each; the last is the text's size
  std::vector<double> logprobs;       // nats; NaN where nothing stands before
  std::vector<float> entropies;       // of the token's distribution, nats; NaN likewise
  std::vector<float> firsts;          // probability of the likeliest token; NaN likewise
  std::vector<float> seconds;         // of the next one
  std::vector<std::int64_t> guesses;  // first byte of the likeliest one; -1: none, or a control token

  bool has_doubt() const { return !ends.empty() && entropies.size() == ends.size(); }
  // Whether the lists fit each other: all of one length, those of doubt may be empty together.
  bool consistent() const;
};

struct PredictionRow {
  std::string item, member, split;
  // Which wording of the item was asked: 0 is the task's own; others serve the control that spends an
  // ensemble's compute on one member.
  int variant = 0;
  TaskKind kind = TaskKind::kChoices;
  std::string prompt_hash;     // of everything the member was asked; 32 hex digits, empty for imported rows
  std::string weights_digest;  // of the member's weights; empty for imported rows
  std::string answer_raw;      // answer: the text as it came
  std::string answer, reason;  // answer: canonical form (empty: abstained), and the canonicaliser's reason
  // choices, labels (by a language model or a classifier): ln p of each option, nats; text: ln p of the text;
  // answer: ln p of the answer; pairs: similarity or relevance; retrieval: score of each document of the
  // task, in its order. Empty when the row holds an embedding.
  std::vector<double> scores;
  std::vector<std::int64_t> bytes;  // UTF-8 bytes behind each of `scores` (choices, labels, text, answer)
  // text: ln p of every byte, nats, NaN where nothing stands before; empty where the model gives none.
  std::vector<float> byte_logprobs;
  TextTokens text_tokens;
  std::optional<double> entropy;  // of the member's distribution over the options, nats
  std::string embedding;          // name of a vector of the table; empty when there is none
  std::int64_t tokens = 0;        // read and written
  double milliseconds = 0;        // of the device; no part of exports that are compared
  double flop = 0;                // by the model's cost figures
  std::string kernel_path;        // instruction set of the kernels, or "imported"
  std::uint64_t seed = 0;         // of the sampling; 0 where nothing is drawn
};

// A vector that rows refer to, by a digest of its values.
struct StoredVector {
  std::string name;  // vector_name(values)
  std::vector<float> values;
};
std::string vector_name(const std::vector<float>& values);

// What tells a row from another of the same item and member: wording, weights, variant, seed. 32 hex digits.
std::string row_fingerprint(const PredictionRow& row);

// The JSON form of the exports: the members above in snake_case, absent ones left out, milliseconds only on
// request (they differ from run to run); text_tokens as token_ends, token_logprobs, ...; NaN in a list is
// null. Broken UTF-8 in answers becomes U+FFFD.
Value to_value(const PredictionRow& row, bool with_milliseconds = false);
// And back; missing members keep their defaults, `item` and `member` are required. Errors: kInvalid with the
// JSON Pointer in `where` for unknown keys, wrong types and numbers out of range.
Result<PredictionRow> prediction_row_from(const Value& v);

// The stored form: a version byte, then the fields. Errors when reading: kCorrupt, kUnsupported (newer).
std::string encode_row(const PredictionRow& row);
Result<PredictionRow> decode_row(std::string_view bytes);

}  // namespace consort
