// Cuts a Markdown or plain-text file into short items for a retrieval memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace consort {

struct SplitOptions {
  enum class Unit { kParagraph, kSentence };
  Unit unit = Unit::kParagraph;
  std::size_t max_bytes = 800;  // of a piece; longer paragraphs are cut between sentences, longer sentences
                                // between words, longer words between characters
};

struct TextPiece {
  std::string text;          // without heading marks; white space collapsed, except in code blocks
  std::string title;         // the file's first heading, or empty
  std::string section;       // headings above the piece, joined by " / ", without the title
  std::size_t position = 0;  // 0, 1, 2, ... in the file
  std::size_t line = 0;      // where it begins, from 1
};

// Pieces in file order, none empty. Broken UTF-8 becomes U+FFFD; NUL and other control characters become
// blanks.
std::vector<TextPiece> split_text(std::string_view text, const SplitOptions& options = {});

// The sentences of one paragraph. Points after abbreviations, initials and numbers do not end a sentence.
std::vector<std::string> split_sentences(std::string_view paragraph);

}  // namespace consort
