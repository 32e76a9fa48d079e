#include "agents/ensemble/canonical.h"

#include <algorithm>
#include <utility>

#include <utf8proc.h>

#include "scheduler/value/utf8.h"

namespace consort {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_word(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

// The text behind the last "answer is", "answer:" and their kind; npos when there is none. A bare "a:" counts
// at the start of a line only: "the rate of Job A:" announces no answer.
std::size_t behind_answer_is(std::string_view lower) {
  std::size_t best = std::string_view::npos;
  for (const std::string_view cue : {"answer is:", "answer is", "answer:", "answer =", "a:"}) {
    const auto opens = [&](std::size_t at) {
      return at == 0 || (cue == "a:" ? lower[at - 1] == '\n' : !is_word(lower[at - 1]));
    };
    std::size_t at = lower.rfind(cue);
    while (at != std::string_view::npos && !opens(at)) at = at == 0 ? at - 1 : lower.rfind(cue, at - 1);
    if (at != std::string_view::npos && (best == std::string_view::npos || at + cue.size() > best)) {
      best = at + cue.size();
    }
  }
  return best;
}

// Whether a letter or digit ends at text[end]; currency signs and other symbols beyond ASCII are none.
bool word_before(std::string_view text, std::size_t end) {
  if (end == 0) return false;
  std::size_t at = end - 1;
  if (static_cast<unsigned char>(text[at]) < 0x80) return is_word(text[at]);
  while (at > 0 && end - at < 4 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  char32_t c = 0;
  if (!utf8::decode(text, at, c)) return true;
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

struct Found {
  std::string value;
  std::size_t end = 0;
};

// Keeps what a double holds, 15 significant digits: two endless 0.333... of different lengths say the same.
void cut_fraction(const std::string& whole, std::string& fraction) {
  constexpr std::size_t kSignificant = 15;
  const std::size_t zeros = whole.empty() ? std::min(fraction.find_first_not_of('0'), fraction.size()) : 0;
  fraction.resize(std::min(fraction.size(), zeros + kSignificant - std::min(kSignificant, whole.size())));
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
}

// Reads a number at text[at], whose sign may stand before a '$'. False when there is none.
bool number_at(std::string_view text, std::size_t at, Found& found) {
  std::string digits;
  std::size_t i = at;
  bool negative = false;
  if (text[i] == '-' || text[i] == '+') {
    if (i > 0 && (is_word(text[i - 1]) || text[i - 1] == ')'))
      return false;  // 16-3: a minus between two numbers
    negative = text[i] == '-';
    ++i;
  }
  if (i < text.size() && text[i] == '$') ++i;
  if (i >= text.size() ||
      !(is_digit(text[i]) || (text[i] == '.' && i + 1 < text.size() && is_digit(text[i + 1])))) {
    return false;
  }
  while (i < text.size() && is_digit(text[i])) digits += text[i++];
  const auto three = [&](std::size_t p) {
    return p + 3 < text.size() && is_digit(text[p + 1]) && is_digit(text[p + 2]) && is_digit(text[p + 3]) &&
           (p + 4 >= text.size() || !is_digit(text[p + 4]));
  };
  while (digits.size() <= 60 && !digits.empty() && i < text.size() && text[i] == ',' && three(i)) {
    digits += text.substr(i + 1, 3);
    i += 4;
  }
  std::string fraction;
  if (i + 1 < text.size() && text[i] == '.' && is_digit(text[i + 1])) {
    ++i;
    while (i < text.size() && is_digit(text[i])) fraction += text[i++];
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  cut_fraction(digits, fraction);
  found.value = digits.empty() ? "0" : digits;
  if (!fraction.empty()) found.value += "." + fraction;
  if (negative && found.value != "0") found.value.insert(0, 1, '-');
  found.end = i;
  return true;
}

bool first_number(std::string_view text, std::size_t from, Found& found) {
  for (std::size_t i = from; i < text.size(); ++i) {
    const bool inside_word = is_digit(text[i]) && word_before(text, i);
    if (!inside_word && number_at(text, i, found)) return true;
  }
  return false;
}

bool last_number(std::string_view text, Found& found) {
  bool any = false;
  Found next;
  for (std::size_t i = 0; first_number(text, i, next); i = next.end) {
    found = next;
    any = true;
  }
  return any;
}

// Words in lower case, without punctuation, articles left out.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  std::size_t at = 0;
  while (at < text.size()) {
    char32_t c = 0;
    if (!utf8::decode(text, at, c)) {
      ++at;
      continue;
    }
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    const bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
    const bool space = category >= UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_CC;
    const bool joins = c == '\'' || c == 0x2019;  // don't -> dont
    if (letter) {
      utf8::append(words.back(), static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
    } else if (category >= UTF8PROC_CATEGORY_SM && category <= UTF8PROC_CATEGORY_SO) {
      utf8::append(words.back(), c);  // +, <, degree signs: they carry meaning
    } else if ((space || !joins) && !words.back().empty()) {
      words.emplace_back();
    }
  }
  std::erase_if(words, [](const std::string& w) { return w.empty() || w == "a" || w == "an" || w == "the"; });
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

CanonicalAnswer found_as(std::string value, const char* reason) {
  return {true, std::move(value), reason};
}
CanonicalAnswer abstain(const char* reason) {
  return {false, "", reason};
}

// The letter at text[at] when it stands alone; '\0' otherwise.
char lone_letter(std::string_view text, std::size_t at, std::size_t choices) {
  const char c = text[at];
  if (!is_letter(c)) return '\0';
  if ((at > 0 && is_word(text[at - 1])) ||
      (at + 1 < text.size() && (is_word(text[at + 1]) || text[at + 1] == '\''))) {
    return '\0';
  }
  const char upper = static_cast<char>(c & ~0x20);
  return static_cast<std::size_t>(upper - 'A') < choices ? upper : '\0';
}

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size() && std::string_view(" \t\r\n*\"'`").find(text[at]) != std::string_view::npos) ++at;
  return at;
}

// "(B)", "B.", "B)", "B:" or "B" at the end, at this place.
char letter_at(std::string_view text, std::size_t at, std::size_t choices) {
  at = skip_space(text, at);
  const bool open = at < text.size() && (text[at] == '(' || text[at] == '[');
  if (open) ++at;
  if (at >= text.size()) return '\0';
  const char letter = lone_letter(text, at, choices);
  if (letter == '\0') return '\0';
  const std::size_t next = skip_space(text, at + 1);
  const bool closed =
      next >= text.size() || std::string_view(").]:,;-").find(text[next]) != std::string_view::npos;
  const bool capital = text[at] >= 'A' && text[at] <= 'Z';
  // "A dog" begins with an article, "B because" with an answer.
  return open || closed || (capital && letter != 'A' && letter != 'I') ? letter : '\0';
}

CanonicalAnswer one_of(const std::string& letters, const char* reason) {
  if (letters.empty()) return abstain("noLetter");
  if (letters.find_first_not_of(letters[0]) != std::string::npos) return abstain("ambiguous");
  return found_as(letters.substr(0, 1), reason);
}

CanonicalAnswer by_option_text(std::string_view answer, const std::vector<std::string>& options) {
  const std::string said = " " + joined(words_of(answer)) + " ";
  std::string letters, exact;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < options.size() && i < 26; ++i) {
    const std::string text = joined(words_of(options[i]));
    const char letter = static_cast<char>('A' + i);
    if (text.empty() || said.find(" " + text + " ") == std::string::npos) continue;
    if (said.size() == text.size() + 2) exact += letter;
    if (text.size() > longest) letters.clear();  // "not red" contains "red": the longest match wins
    if (text.size() >= longest) letters += letter;
    longest = std::max(longest, text.size());
  }
  return one_of(exact.empty() ? letters : exact, "optionText");
}

}  // namespace

std::optional<AnswerKind> answer_kind(std::string_view name) {
  if (name == "text") return AnswerKind::kText;
  if (name == "number") return AnswerKind::kNumber;
  if (name == "letter") return AnswerKind::kLetter;
  if (name == "boolean") return AnswerKind::kBoolean;
  return std::nullopt;
}

CanonicalAnswer canonical_answer(AnswerKind kind, std::string_view answer,
                                 const std::vector<std::string>& options) {
  switch (kind) {
    case AnswerKind::kNumber:
      return canonical_number(answer);
    case AnswerKind::kLetter:
      return canonical_letter(answer, options);
    case AnswerKind::kBoolean:
      return canonical_boolean(answer);
    case AnswerKind::kText:
      break;
  }
  return canonical_text(answer);
}

CanonicalAnswer canonical_number(std::string_view answer) {
  Found found;
  if (const std::size_t hash = answer.rfind("####"); hash != std::string_view::npos) {
    if (first_number(answer, hash + 4, found)) return found_as(found.value, "hash");
  }
  const std::size_t cue = behind_answer_is(ascii_lower(answer));
  if (cue != std::string_view::npos && first_number(answer, cue, found))
    return found_as(found.value, "answerIs");
  if (last_number(answer, found)) return found_as(found.value, "lastNumber");
  return abstain("noNumber");
}

CanonicalAnswer canonical_letter(std::string_view answer, const std::vector<std::string>& options) {
  const std::size_t choices = options.empty() ? 26 : std::min<std::size_t>(options.size(), 26);
  const std::size_t cue = behind_answer_is(ascii_lower(answer));
  if (cue != std::string_view::npos) {
    if (const char letter = letter_at(answer, cue, choices)) return found_as({letter}, "answerIs");
  }
  std::string parenthesised;
  for (std::size_t i = 0; i + 2 < answer.size(); ++i) {
    if (answer[i] != '(' || answer[i + 2] != ')') continue;
    if (const char letter = lone_letter(answer, i + 1, choices)) parenthesised += letter;
  }
  if (!parenthesised.empty()) return one_of(parenthesised, "parenthesised");
  if (const char letter = letter_at(answer, 0, choices)) return found_as({letter}, "lead");
  if (auto option = by_option_text(answer, options); option.parsed) return option;
  std::string bare;
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const char letter = lone_letter(answer, i, choices);
    const bool article = letter == 'A' || letter == 'I';  // words of their own
    if (letter && answer[i] == letter && !article) bare += letter;
  }
  return one_of(bare, "bare");
}

CanonicalAnswer canonical_boolean(std::string_view answer) {
  const auto verdict = [](const std::string& word) {
    if (word == "yes" || word == "true" || word == "correct" || word == "right") return 1;
    if (word == "no" || word == "false" || word == "incorrect" || word == "wrong") return -1;
    return 0;
  };
  const auto named = [](int v) { return std::string(v > 0 ? "true" : "false"); };
  const std::size_t cue = behind_answer_is(ascii_lower(answer));
  if (cue != std::string_view::npos) {
    const auto words = words_of(answer.substr(cue));
    if (!words.empty() && verdict(words[0]) != 0) return found_as(named(verdict(words[0])), "answerIs");
  }
  const auto words = words_of(answer);
  if (!words.empty() && verdict(words[0]) != 0) return found_as(named(verdict(words[0])), "lead");
  int yes = 0, no = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    int v = verdict(words[i]);
    if (i > 0 && words[i - 1] == "not") v = -v;
    yes += v > 0 ? 1 : 0;
    no += v < 0 ? 1 : 0;
  }
  if (yes > 0 && no > 0) return abstain("ambiguous");
  if (yes + no == 0) return abstain("noBoolean");
  return found_as(named(yes - no), "word");
}

CanonicalAnswer canonical_text(std::string_view answer) {
  std::string text = joined(words_of(answer));
  if (text.empty()) return abstain("empty");
  return found_as(std::move(text), "text");
}

}  // namespace consort
