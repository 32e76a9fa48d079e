// Porter's suffix stripping, step by step as in the paper (Program 14(3), 1980).
#include <algorithm>
#include <array>

#include "memory/retrieval/analyzer.h"

namespace consort {
namespace {

struct Rule {
  std::string_view suffix, replacement;
};

class Stemmer {
 public:
  explicit Stemmer(std::string_view word) : w_(word) {}

  std::string run() {
    plurals();
    past_and_ing();
    y_to_i();
    replace_first(kStep2, 0);
    replace_first(kStep3, 0);
    drop_endings();
    final_e_and_l();
    return std::move(w_);
  }

 private:
  static constexpr std::array<Rule, 20> kStep2{
      {{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"},
       {"abli", "able"},   {"alli", "al"},     {"entli", "ent"}, {"eli", "e"},     {"ousli", "ous"},
       {"ization", "ize"}, {"ation", "ate"},   {"ator", "ate"},  {"alism", "al"},  {"iveness", "ive"},
       {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},  {"iviti", "ive"}, {"biliti", "ble"}}};
  static constexpr std::array<Rule, 7> kStep3{{{"icate", "ic"},
                                               {"ative", ""},
                                               {"alize", "al"},
                                               {"iciti", "ic"},
                                               {"ical", "ic"},
                                               {"ful", ""},
                                               {"ness", ""}}};
  static constexpr std::array<std::string_view, 19> kStep4{
      "al",  "ance", "ence", "er",  "ic",  "able", "ible", "ant", "ement", "ment",
      "ent", "ion",  "ou",   "ism", "ate", "iti",  "ous",  "ive", "ize"};

  bool consonant(std::size_t i) const {
    switch (w_[i]) {
      case 'a':
      case 'e':
      case 'i':
      case 'o':
      case 'u':
        return false;
      case 'y':
        return i == 0 || !consonant(i - 1);
      default:
        return true;
    }
  }
  // m: how many vowel-consonant sequences the first `length` letters have.
  int measure(std::size_t length) const {
    int m = 0;
    bool vowel_before = false;
    for (std::size_t i = 0; i < length; ++i) {
      const bool c = consonant(i);
      if (c && vowel_before) ++m;
      vowel_before = !c;
    }
    return m;
  }
  bool has_vowel(std::size_t length) const {
    for (std::size_t i = 0; i < length; ++i) {
      if (!consonant(i)) return true;
    }
    return false;
  }
  bool double_consonant() const {
    const std::size_t n = w_.size();
    return n >= 2 && w_[n - 1] == w_[n - 2] && consonant(n - 1);
  }
  // *o: consonant, vowel, consonant at the end of the first `length` letters, the last not w, x or y.
  bool short_end(std::size_t length) const {
    if (length < 3 || !consonant(length - 1) || consonant(length - 2) || !consonant(length - 3)) return false;
    const char last = w_[length - 1];
    return last != 'w' && last != 'x' && last != 'y';
  }
  bool ends(std::string_view suffix) const { return std::string_view(w_).ends_with(suffix); }
  std::size_t stem(std::string_view suffix) const { return w_.size() - suffix.size(); }
  void set(std::string_view suffix, std::string_view replacement) {
    w_.resize(stem(suffix));
    w_ += replacement;
  }

  void plurals() {
    if (ends("sses"))
      set("sses", "ss");
    else if (ends("ies"))
      set("ies", "i");
    else if (ends("s") && !ends("ss"))
      set("s", "");
  }
  void past_and_ing() {
    if (ends("eed")) {
      if (measure(stem("eed")) > 0) set("eed", "ee");
      return;
    }
    if (ends("ed") && has_vowel(stem("ed")))
      set("ed", "");
    else if (ends("ing") && has_vowel(stem("ing")))
      set("ing", "");
    else
      return;
    if (ends("at") || ends("bl") || ends("iz"))
      w_ += 'e';
    else if (double_consonant() && !ends("l") && !ends("s") && !ends("z"))
      w_.pop_back();
    else if (measure(w_.size()) == 1 && short_end(w_.size()))
      w_ += 'e';
  }
  void y_to_i() {
    if (ends("y") && has_vowel(stem("y"))) w_.back() = 'i';
  }
  // The longest suffix of the list that fits decides, whether or not its condition then holds.
  template <std::size_t N>
  void replace_first(const std::array<Rule, N>& rules, int above) {
    const Rule* best = nullptr;
    for (const Rule& rule : rules) {
      if (ends(rule.suffix) && (!best || rule.suffix.size() > best->suffix.size())) best = &rule;
    }
    if (best && measure(stem(best->suffix)) > above) set(best->suffix, best->replacement);
  }
  void drop_endings() {
    std::string_view best;
    for (const auto suffix : kStep4) {
      if (ends(suffix) && suffix.size() > best.size()) best = suffix;
    }
    if (best.empty() || measure(stem(best)) <= 1) return;
    if (best == "ion") {
      const char before = w_[stem(best) - 1];
      if (before != 's' && before != 't') return;
    }
    set(best, "");
  }
  void final_e_and_l() {
    if (ends("e")) {
      const int m = measure(stem("e"));
      if (m > 1 || (m == 1 && !short_end(stem("e")))) w_.pop_back();
    }
    if (ends("l") && double_consonant() && measure(w_.size()) > 1) w_.pop_back();
  }

  std::string w_;
};

}  // namespace

std::string porter_stem(std::string_view word) {
  const bool plain = std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (!plain || word.size() <= 2) return std::string(word);
  return Stemmer(word).run();
}

}  // namespace consort
