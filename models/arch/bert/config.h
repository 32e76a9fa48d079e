// The hyper-parameters of a BERT encoder: config.json, the sentence-transformers files beside it, and what
// the tensors show (a classifier makes it a cross-encoder).
#pragma once

#include <string>

#include "memory/base/status.h"
#include "models/formats/weight_source.h"

namespace consort::bert {

// What comes out: one vector a text, the states of all tokens (late interaction), or a score of a pair.
enum class Head : std::uint8_t { kSentence, kTokens, kScore };

struct Config {
  int width = 0, heads = 0, layers = 0, feed_forward = 0, vocab = 0, positions = 0, max_tokens = 0;
  int classes = 0;  // Head::kScore
  float eps = 1e-12f;
  Head head = Head::kSentence;
  bool cls_pooling = false;  // else the mean over all tokens
  std::string prefix;        // in front of every tensor's name: "bert." or nothing
};

// Errors: kNotFound, kInvalid, kUnsupported (named key); those of read_sentence_settings.
Result<Config> read_config(const WeightSource& source);

}  // namespace consort::bert
