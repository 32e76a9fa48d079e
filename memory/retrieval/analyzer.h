// From text to search terms: words by Unicode categories (after UAX #29: letters, marks and digits; an
// apostrophe or point between letters or digits stays inside; Han, Kana, Thai and the like as overlapping
// pairs of characters), NFKC and case folding, then, if wanted, English suffixes removed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace consort {

struct AnalyzerOptions {
  // Porter's algorithm (1980) on words of ASCII letters: "lighthouses" finds "lighthouse".
  bool english_stemming = true;
};

// The terms in text order, repeats included. Bytes that are no UTF-8 separate words.
std::vector<std::string> analyze(std::string_view text, const AnalyzerOptions& options);

// M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980. REQUIRES: lower-case ASCII letters;
// other words come back unchanged.
std::string porter_stem(std::string_view word);

// True when every byte belongs to well-formed UTF-8.
bool is_utf8(std::string_view text);
// Unicode NFC; the text itself when it is not UTF-8.
std::string to_nfc(std::string_view text);

}  // namespace consort
