#include "models/arch/bert/text_sample.h"

#include <algorithm>

namespace consort::bert {

TextSample single_text(const Tokenizer& tokenizer, std::string_view text, int limit) {
  TextSample sample;
  sample.ids = tokenizer.encode(text, {.add_special = true, .parse_special = true});
  if (sample.ids.size() > static_cast<std::size_t>(limit)) {
    const TokenId last = sample.ids.back();
    sample.ids.resize(static_cast<std::size_t>(limit));
    sample.ids.back() = last;
    sample.truncated = true;
  }
  sample.tokens = sample.second = static_cast<int>(sample.ids.size());
  return sample;
}

PairCut cut_pair(std::size_t query, std::size_t passage, std::size_t room) {
  if (query + passage <= room) return {query, passage};
  const std::size_t half = room / 2;
  const bool query_shorter = query <= passage;
  std::size_t shorter = query_shorter ? query : passage, longer = room - half;
  if (shorter <= half)
    longer = room - shorter;
  else
    shorter = half;
  return query_shorter ? PairCut{shorter, longer} : PairCut{longer, shorter};
}

Result<TextSample> text_pair(const Tokenizer& tokenizer, std::string_view query, std::string_view passage,
                             int limit) {
  const auto cls = tokenizer.find("[CLS]"), sep = tokenizer.find("[SEP]");
  if (!cls || !sep) return fail(ErrorKind::kInvalid, "the tokenizer has no [CLS] and [SEP]");
  const EncodeOptions options{.add_special = false, .parse_special = true};
  const auto a = tokenizer.encode(query, options), b = tokenizer.encode(passage, options);
  const PairCut kept = cut_pair(a.size(), b.size(), static_cast<std::size_t>(std::max(limit - 3, 0)));
  TextSample sample;
  sample.ids.reserve(kept.query + kept.passage + 3);
  sample.ids.push_back(*cls);
  sample.ids.insert(sample.ids.end(), a.begin(), a.begin() + static_cast<std::ptrdiff_t>(kept.query));
  sample.ids.push_back(*sep);
  sample.second = static_cast<int>(sample.ids.size());
  sample.ids.insert(sample.ids.end(), b.begin(), b.begin() + static_cast<std::ptrdiff_t>(kept.passage));
  sample.ids.push_back(*sep);
  sample.tokens = static_cast<int>(sample.ids.size());
  sample.truncated = kept.query < a.size() || kept.passage < b.size();
  return sample;
}

}  // namespace consort::bert
