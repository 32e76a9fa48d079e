// A source text with its comments, strings and preprocessor lines blanked, so that brackets and words can be
// read without meeting a brace inside a string. Offsets and line ends stay where they are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace consort {

// What a scanner must know of a language; several languages share one.
enum class CodeSyntax : std::uint8_t {
  kNone,    // no structure is known: cut by lines
  kBraces,  // C, C++, C#, Java, Go, Rust, Kotlin, Swift, Scala, PHP, Dart
  kScript,  // JavaScript, TypeScript: as kBraces, with '...' strings, templates and regular expressions
  kIndent,  // Python
  kShell,   // shells: braces for functions, # comments
};

// For a label of the content-type classifier ("python", "cpp"), or of code_label_of_extension.
CodeSyntax code_syntax(std::string_view label);
// "cpp" for ".cpp" and ".h", "python" for ".py", ...; empty when no code file ends so.
std::string_view code_label_of_extension(std::string_view extension);

std::string mask_code(std::string_view text, CodeSyntax syntax);

}  // namespace consort
