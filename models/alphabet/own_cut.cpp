#include "models/alphabet/own_cut.h"

#include <algorithm>
#include <string>

#include "models/alphabet/byte_vocabulary.h"

namespace consort {
namespace {

constexpr std::size_t kLongestWord = 48;

}  // namespace

OwnCut own_cut(const Tokenizer& tokenizer, std::string_view text) {
  OwnCut cut;
  cut.before = tokenizer.encode(text);
  bool word = false;  // white space at the end may go to the next word: that is none yet
  while (!cut.before.empty() && cut.word_bytes < kLongestWord) {
    const std::string bytes = tokenizer.token_bytes(cut.before.back());
    if (bytes.empty() || cut.word_bytes + bytes.size() > text.size()) break;  // a space that nobody wrote
    if (text.substr(text.size() - cut.word_bytes - bytes.size(), bytes.size()) != bytes) break;
    cut.word.push_back({cut.before.back(), static_cast<std::uint32_t>(bytes.size())});
    cut.word_bytes += bytes.size();
    cut.before.pop_back();
    word = word || !std::all_of(bytes.begin(), bytes.end(), is_white);
    if (word && is_white(bytes.front())) break;
  }
  std::reverse(cut.word.begin(), cut.word.end());
  return cut;
}

}  // namespace consort
