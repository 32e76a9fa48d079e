// Canonicalisers: what a free-text answer says, so that equal answers compare equal. An answer that cannot be
// read is an abstention with a reason, never a vote. Pure functions; any thread. Rules: research note A1
// (extraction moves results more than the voting rule does).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace consort {

enum class AnswerKind { kText, kNumber, kLetter, kBoolean };

std::optional<AnswerKind> answer_kind(std::string_view name);  // "text", "number", "letter", "boolean"

struct CanonicalAnswer {
  bool parsed = false;
  std::string value;  // empty when not parsed
  // How it was found: number: "hash" (#### x), "answerIs", "lastNumber"; letter: "answerIs", "parenthesised",
  // "lead", "bare", "optionText"; boolean: "answerIs", "lead", "word"; text: "text". Or why not: "noNumber",
  // "noLetter", "noBoolean", "ambiguous", "empty".
  std::string reason;
};

// options: the texts of the choices A, B, ... for kLetter (may be empty: then any single letter counts).
CanonicalAnswer canonical_answer(AnswerKind kind, std::string_view answer,
                                 const std::vector<std::string>& options = {});

// kNumber: the last "#### x", else the number behind the last "answer is" (or "answer:"), else the last
// number.
//   Currency signs and thousands commas go; value is the shortest decimal ("1,000.50" -> "1000.5", "-0" ->
//   "0"), its fraction cut after 15 significant digits.
CanonicalAnswer canonical_number(std::string_view answer);
// kLetter: "(B)", "B.", "B)", "B", "answer is B"; otherwise the option whose text the answer contains, if it
// is one.
CanonicalAnswer canonical_letter(std::string_view answer, const std::vector<std::string>& options);
// kBoolean: "true" or "false" from yes/no/true/false/correct/incorrect; both in one answer is ambiguous.
CanonicalAnswer canonical_boolean(std::string_view answer);
// kText: lower case, without punctuation and the articles a, an, the; single spaces.
CanonicalAnswer canonical_text(std::string_view answer);

}  // namespace consort
