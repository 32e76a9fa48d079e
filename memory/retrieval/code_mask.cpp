#include "memory/retrieval/code_mask.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace consort {
namespace {

bool word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

class Masker {
 public:
  Masker(std::string_view text, CodeSyntax syntax) : text_(text), syntax_(syntax), out_(text) {}

  std::string run() {
    while (at_ < text_.size()) step();
    return std::move(out_);
  }

 private:
  bool here(std::string_view word) const { return text_.substr(at_).starts_with(word); }
  bool braces() const { return syntax_ == CodeSyntax::kBraces || syntax_ == CodeSyntax::kScript; }
  bool line_start() const {
    std::size_t i = at_;
    while (i > 0 && (text_[i - 1] == ' ' || text_[i - 1] == '\t')) --i;
    return i == 0 || text_[i - 1] == '\n';
  }
  // Blanks [at_, end) except line ends, and goes there.
  void blank_to(std::size_t end) {
    end = std::min(end, text_.size());
    for (; at_ < end; ++at_)
      if (out_[at_] != '\n') out_[at_] = ' ';
  }
  std::size_t after(std::string_view mark, std::size_t from) const {
    const std::size_t found = text_.find(mark, std::min(from, text_.size()));
    return found == std::string_view::npos ? text_.size() : found + mark.size();
  }
  std::size_t line_end(std::size_t from) const {
    const std::size_t found = text_.find('\n', std::min(from, text_.size()));
    return found == std::string_view::npos ? text_.size() : found;
  }
  // Behind the closing quote of a string that begins here; at the line's end when it is not closed there.
  std::size_t string_end(char quote, bool lines) const {
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\')
        ++i;
      else if (text_[i] == quote)
        return i + 1;
      else if (text_[i] == '\n' && !lines)
        return i;
    }
    return text_.size();
  }
  // R"x( ... )x" of C++, r#" ... "# of Rust; 0 when none begins here.
  std::size_t raw_string_end() const {
    if (at_ > 0 && word_char(text_[at_ - 1])) return 0;
    if (here("R\"")) {
      const std::size_t open = text_.find('(', at_);
      if (open == std::string_view::npos || open - at_ > 18) return 0;
      return after(")" + std::string(text_.substr(at_ + 2, open - at_ - 2)) + "\"", open);
    }
    if (!here("r\"") && !here("r#")) return 0;
    std::size_t hashes = 0;
    while (at_ + 1 + hashes < text_.size() && text_[at_ + 1 + hashes] == '#') ++hashes;
    if (at_ + 1 + hashes >= text_.size() || text_[at_ + 1 + hashes] != '"') return 0;
    return after("\"" + std::string(hashes, '#'), at_ + 2 + hashes);
  }
  // A preprocessor directive with its continued lines.
  std::size_t directive_end() const {
    std::size_t end = line_end(at_);
    while (end > at_ && end < text_.size() && text_[end - 1] == '\\') end = line_end(end + 1);
    return end;
  }
  // 'x', '\n', '\u{1F600}'; Rust's lifetimes and digit separators are no literals.
  std::size_t character_end() const {
    if (at_ > 0 && word_char(text_[at_ - 1])) return 0;
    const std::size_t end = string_end('\'', false);
    return end - at_ <= 14 && end > at_ + 2 && text_[end - 1] == '\'' ? end : 0;
  }
  // Could a regular expression begin here? After a value a slash divides.
  bool regex_place() const {
    std::size_t i = at_;
    while (i > 0 && (text_[i - 1] == ' ' || text_[i - 1] == '\t')) --i;
    if (i == 0 || std::string_view("(,=:[!&|?{};\n").find(text_[i - 1]) != std::string_view::npos)
      return true;
    std::size_t word = i;
    while (word > 0 && word_char(text_[word - 1])) --word;
    const std::string_view before = text_.substr(word, i - word);
    return before == "return" || before == "case" || before == "typeof";
  }

  void step() {
    const char c = text_[at_];
    if (braces() && here("//")) return blank_to(line_end(at_));
    if (braces() && here("/*")) return blank_to(after("*/", at_ + 2));
    if (c == '#' && syntax_ == CodeSyntax::kBraces && line_start() && !here("#[") && !here("#!"))
      return blank_to(directive_end());
    if (c == '#' && syntax_ == CodeSyntax::kIndent) return blank_to(line_end(at_));
    if (c == '#' && syntax_ == CodeSyntax::kShell &&
        (at_ == 0 || std::isspace(static_cast<unsigned char>(text_[at_ - 1])) != 0))
      return blank_to(line_end(at_));
    if (syntax_ == CodeSyntax::kIndent && (here("\"\"\"") || here("'''")))
      return blank_to(after(text_.substr(at_, 3), at_ + 3));
    if ((c == 'R' || c == 'r') && syntax_ == CodeSyntax::kBraces)
      if (const std::size_t end = raw_string_end(); end != 0) return blank_to(end);
    if (c == '\\' && syntax_ == CodeSyntax::kShell) return blank_to(at_ + 2);
    if (c == '"') return blank_to(string_end('"', syntax_ == CodeSyntax::kShell));
    if (c == '`' && braces()) return blank_to(string_end('`', true));
    if (c == '\'') {
      if (syntax_ != CodeSyntax::kBraces) return blank_to(string_end('\'', syntax_ == CodeSyntax::kShell));
      if (const std::size_t end = character_end(); end != 0) return blank_to(end);
    }
    if (c == '/' && syntax_ == CodeSyntax::kScript && regex_place())
      if (const std::size_t end = string_end('/', false); text_[end - 1] == '/' && end > at_ + 1)
        return blank_to(end);
    ++at_;
  }

  std::string_view text_;
  CodeSyntax syntax_;
  std::string out_;
  std::size_t at_ = 0;
};

constexpr std::array<std::pair<std::string_view, std::string_view>, 34> kExtensions{{
    {".c", "c"},
    {".h", "cpp"},
    {".cc", "cpp"},
    {".cpp", "cpp"},
    {".cxx", "cpp"},
    {".hpp", "cpp"},
    {".hh", "cpp"},
    {".cu", "cpp"},
    {".cs", "cs"},
    {".java", "java"},
    {".go", "go"},
    {".rs", "rust"},
    {".kt", "kotlin"},
    {".swift", "swift"},
    {".scala", "scala"},
    {".php", "php"},
    {".dart", "dart"},
    {".js", "javascript"},
    {".mjs", "javascript"},
    {".cjs", "javascript"},
    {".jsx", "javascript"},
    {".ts", "typescript"},
    {".tsx", "typescript"},
    {".py", "python"},
    {".pyi", "python"},
    {".sh", "shell"},
    {".bash", "shell"},
    {".zsh", "shell"},
    {".rb", "ruby"},
    {".lua", "lua"},
    {".r", "r"},
    {".sql", "sql"},
    {".cmake", "cmake"},
    {".proto", "proto"},
}};

}  // namespace

CodeSyntax code_syntax(std::string_view label) {
  for (const std::string_view name : {"c", "cpp", "cs", "java", "go", "rust", "kotlin", "swift", "scala",
                                      "php", "dart", "objectivec", "solidity", "groovy", "proto"})
    if (label == name) return CodeSyntax::kBraces;
  if (label == "javascript" || label == "typescript") return CodeSyntax::kScript;
  if (label == "python") return CodeSyntax::kIndent;
  if (label == "shell") return CodeSyntax::kShell;
  return CodeSyntax::kNone;
}

std::string_view code_label_of_extension(std::string_view extension) {
  for (const auto& [ending, label] : kExtensions)
    if (extension == ending) return label;
  return {};
}

std::string mask_code(std::string_view text, CodeSyntax syntax) {
  if (syntax == CodeSyntax::kNone) return std::string(text);
  return Masker(text, syntax).run();
}

}  // namespace consort
