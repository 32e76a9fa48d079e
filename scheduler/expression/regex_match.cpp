// The automaton: all states a backtracking matcher could be in, one character at a time.
#include <algorithm>

#include <utf8proc.h>

#include "scheduler/expression/regex.h"
#include "scheduler/value/utf8.h"

namespace consort {

bool Regex::in_set(const Set& set, char32_t c) {
  for (const Range& range : set.ranges) {
    if (c >= range.first && c <= range.last) return true;
  }
  if (set.categories.empty()) return false;
  const std::uint32_t mask = 1u << utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return std::any_of(set.categories.begin(), set.categories.end(),
                     [&](std::uint32_t m) { return (m & mask) != 0; });
}

bool Regex::contains(const Set& set, char32_t c) const {
  bool found = in_set(set, c);
  if (!found && options_.ignore_case) {
    const auto code = static_cast<utf8proc_int32_t>(c);
    found = in_set(set, static_cast<char32_t>(utf8proc_tolower(code))) ||
            in_set(set, static_cast<char32_t>(utf8proc_toupper(code)));
  }
  return found != set.negated;
}

namespace {

char32_t character_at(std::string_view text, std::size_t at) {
  char32_t c = 0;
  return utf8::decode(text, at, c) ? c : utf8::kReplacement;
}

char32_t character_before(std::string_view text, std::size_t at) {
  std::size_t begin = at - 1;
  while (begin > 0 && at - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return character_at(text, begin);
}

}  // namespace

bool Regex::holds(Assertion assertion, std::string_view text, std::size_t at) const {
  switch (assertion) {
    case Assertion::kBegin:
      return at == 0;
    case Assertion::kEnd:
      return at == text.size();
    case Assertion::kEndOrNewline:
      return at == text.size() || (at + 1 == text.size() && text[at] == '\n');
    case Assertion::kWord:
    case Assertion::kNotWord:
      break;
  }
  const bool before = at > 0 && in_set(word_, character_before(text, at));
  const bool after = at < text.size() && in_set(word_, character_at(text, at));
  return (before != after) == (assertion == Assertion::kWord);
}

// The set of states at one place in the text.
class RegexMatcher {
 public:
  RegexMatcher(const Regex& regex, std::string_view text)
      : regex_(regex), text_(text), seen_(regex.code_.size(), 0) {}

  bool search() {
    std::vector<std::uint32_t> now, next;
    std::size_t at = 0;
    while (true) {
      ++mark_;
      bool matched = false;
      now.clear();
      for (const std::uint32_t state : next) follow(state, at, now, matched);
      if (matched) return true;
      follow(0, at, now, matched);  // a match may begin here; so far it is empty
      if (matched && !regex_.options_.not_empty) return true;
      if (at >= text_.size()) return false;
      char32_t c = utf8::kReplacement;
      if (!utf8::decode(text_, at, c)) ++at;
      next.clear();
      for (const std::uint32_t state : now) {
        if (regex_.contains(regex_.sets_[regex_.code_[state].a], c)) next.push_back(state + 1);
      }
    }
  }

 private:
  // Adds the characters states reachable from `state` without reading.
  void follow(std::uint32_t state, std::size_t at, std::vector<std::uint32_t>& states, bool& matched) {
    pending_.assign(1, state);
    while (!pending_.empty()) {
      const std::uint32_t s = pending_.back();
      pending_.pop_back();
      if (seen_[s] == mark_) continue;
      seen_[s] = mark_;
      const auto& instruction = regex_.code_[s];
      switch (instruction.kind) {
        case Regex::Kind::kSet:
          states.push_back(s);
          break;
        case Regex::Kind::kJump:
          pending_.push_back(instruction.a);
          break;
        case Regex::Kind::kSplit:
          pending_.push_back(instruction.b);
          pending_.push_back(instruction.a);
          break;
        case Regex::Kind::kAssert:
          if (regex_.holds(instruction.assertion, text_, at)) pending_.push_back(s + 1);
          break;
        case Regex::Kind::kMatch:
          matched = true;
          break;
      }
    }
  }

  const Regex& regex_;
  std::string_view text_;
  std::vector<std::uint64_t> seen_;
  std::uint64_t mark_ = 0;
  std::vector<std::uint32_t> pending_;
};

bool Regex::search(std::string_view text) const {
  return RegexMatcher(*this, text).search();
}

}  // namespace consort
