// What a sentence-transformers folder says beside config.json: the length limit and how tokens become one
// vector.
#pragma once

#include <string>

#include "memory/base/status.h"

namespace consort {

struct SentenceSettings {
  int max_tokens = 0;            // sentence_bert_config.json, max_seq_length; 0 when the file is not there
  std::string pooling = "mean";  // "mean" or "cls": 1_Pooling/config.json; "mean" when the file is not there
};

// `folder`: where the weights lie. Errors: kCorrupt for files that are not the JSON expected, kUnsupported
// for another pooling, or two at once.
Result<SentenceSettings> read_sentence_settings(const std::string& folder);

}  // namespace consort
