#include "memory/retrieval/code_scanner.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace consort {
namespace {

using Kind = CodeBlock::Kind;

bool space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}
bool word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '~' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// The words of a header, names with their qualifiers as one: "a::b".
std::vector<std::string_view> words_of(std::string_view header) {
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i < header.size();) {
    if (!word_char(header[i])) {
      ++i;
      continue;
    }
    const std::size_t begin = i;
    while (i < header.size() && (word_char(header[i]) || header.substr(i, 2) == "::" ||
                                 (header[i] == ':' && i > begin && header[i - 1] == ':')))
      ++i;
    words.push_back(header.substr(begin, i - begin));
  }
  return words;
}

template <std::size_t N>
bool one_of(std::string_view word, const std::array<std::string_view, N>& list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}
constexpr std::array<std::string_view, 4> kSpaces{"namespace", "mod", "module", "extern"};
constexpr std::array<std::string_view, 11> kTypes{"class",  "struct", "interface", "trait",
                                                  "enum",   "impl",   "union",     "protocol",
                                                  "object", "record", "contract"};
constexpr std::array<std::string_view, 4> kFunctionWords{"fn", "func", "function", "fun"};
constexpr std::array<std::string_view, 12> kControl{"if",      "for",      "while", "switch",
                                                    "catch",   "return",   "match", "sizeof",
                                                    "alignas", "decltype", "do",    "else"};

// The name that ends before `at`: "Bert::forward" of "Status Bert::forward(".
std::string name_before(std::string_view header, std::size_t at) {
  while (at > 0 && space(header[at - 1])) --at;
  if (at > 0 && header[at - 1] == '>') {  // template arguments
    int depth = 0;
    while (at > 0) {
      --at;
      depth += header[at] == '>' ? 1 : header[at] == '<' ? -1 : 0;
      if (depth == 0) break;
    }
  }
  std::size_t begin = at;
  while (begin > 0 && (word_char(header[begin - 1]) || header[begin - 1] == ':')) --begin;
  if (begin > 0 && header[begin - 1] == '>' && header.substr(begin, 2) == "::")  // Ring<T>::all
    return name_before(header, begin) + std::string(header.substr(begin, at - begin));
  while (begin < at && header[begin] == ':') ++begin;
  return std::string(header.substr(begin, at - begin));
}

std::string type_name(const std::vector<std::string_view>& words, std::size_t keyword) {
  const auto target = std::find(words.begin() + static_cast<std::ptrdiff_t>(keyword), words.end(), "for");
  if (target != words.end() && target + 1 != words.end())
    return std::string(target[1]);  // impl Trait for Type
  for (std::size_t i = keyword + 1; i < words.size(); ++i)
    if (words[i] != "class" && words[i] != "alignas") return std::string(words[i]);
  return keyword > 0 ? std::string(words[keyword - 1]) : std::string();  // Go: type Reader struct {
}

// What a block is, from the masked text before its brace.
void classify(std::string_view header, CodeBlock& block) {
  const auto words = words_of(header);
  const std::size_t paren = header.find('(');
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto at = static_cast<std::size_t>(words[i].data() - header.data());
    if (at > paren) break;
    if (one_of(words[i], kFunctionWords)) {
      block.kind = Kind::kFunction;
      // Go's receiver stands between: func (r *Reader) Next(
      const std::size_t from =
          i + 1 < words.size() && static_cast<std::size_t>(words[i + 1].data() - header.data()) > paren
              ? header.find('(', std::min(header.find(')', paren), header.size()))
              : paren;
      block.name = from == std::string_view::npos ? "" : name_before(header, from);
      if (block.name.empty() && i + 1 < words.size()) block.name = std::string(words[i + 1]);
      return;
    }
    if (one_of(words[i], kSpaces)) {
      block.kind = Kind::kSpace;
      return;
    }
    if (one_of(words[i], kTypes)) {
      block.kind = Kind::kType;
      block.name = type_name(words, i);
      return;
    }
  }
  const std::size_t arrow = header.find("=>"), equals = header.find('=');
  if (arrow != std::string_view::npos && equals < arrow) {  // const f = (x) => {
    block.kind = Kind::kFunction;
    block.name = name_before(header, equals);
    return;
  }
  if (paren == std::string_view::npos ||
      (equals < paren && header.find("operator") == std::string_view::npos))
    return;
  std::string name = name_before(header, paren);
  if (name.empty() && header.find("operator") != std::string_view::npos) name = "operator";
  if (name.empty() || one_of(std::string_view(name), kControl)) return;
  block.kind = Kind::kFunction;
  block.name = name;
}

// Behind the brace that closes the one at `open`; `end` when it is never closed.
std::size_t closing(std::string_view mask, std::size_t open, std::size_t end) {
  int depth = 0;
  for (std::size_t i = open; i < end; ++i) {
    if (mask[i] == '{') ++depth;
    if (mask[i] == '}' && --depth == 0) return i + 1;
  }
  return end;
}

std::size_t line_end(std::string_view mask, std::size_t from, std::size_t end) {
  const std::size_t found = mask.find('\n', from);
  return found == std::string_view::npos || found >= end ? end : found + 1;
}

// The rest of the line belongs to the declaration when nothing but a semicolon and a comment is on it.
std::size_t with_line_end(std::string_view mask, std::size_t at, std::size_t end) {
  std::size_t i = at;
  while (i < end && mask[i] != '\n' && (space(mask[i]) || mask[i] == ';' || mask[i] == ',' || mask[i] == ')'))
    ++i;
  return i < end && mask[i] == '\n' ? i + 1 : at;
}

std::vector<CodeBlock> scan_braces(std::string_view mask, CodeSyntax syntax, std::size_t begin,
                                   std::size_t end) {
  std::vector<CodeBlock> blocks;
  std::size_t start = begin;
  int parens = 0;
  const bool lines_end = syntax == CodeSyntax::kShell;  // a newline ends a statement there
  for (std::size_t i = begin; i < end; ++i) {
    const char c = mask[i];
    if (c == '(' || c == '[') ++parens;
    if ((c == ')' || c == ']') && parens > 0) --parens;
    const bool statement = (c == ';' && parens == 0) || (lines_end && c == '\n');
    if (statement) {
      CodeBlock block;
      block.begin = start;
      block.end = start = c == ';' ? with_line_end(mask, i + 1, end) : i + 1;
      if (!lines_end || block.end - block.begin > 1) blocks.push_back(std::move(block));
      i = start - 1;
      continue;
    }
    if (c != '{') continue;
    CodeBlock block;
    block.begin = start;
    const std::size_t close = closing(mask, i, end);
    if (parens == 0) classify(mask.substr(start, i - start), block);
    if (block.kind == Kind::kOther || parens > 0) {  // an initialiser: the declaration goes on behind it
      i = close - 1;
      if (parens == 0 && with_line_end(mask, close, end) > close) {
        block.end = start = with_line_end(mask, close, end);
        blocks.push_back(std::move(block));
        i = start - 1;
      }
      continue;
    }
    block.body_begin = i + 1;
    block.body_end = std::max(i + 1, close > i + 1 && mask[close - 1] == '}' ? close - 1 : close);
    block.end = start = with_line_end(mask, close, end);
    i = start - 1;
    parens = 0;
    blocks.push_back(std::move(block));
  }
  if (start < end) {
    CodeBlock rest;
    rest.begin = start;
    rest.end = end;
    blocks.push_back(std::move(rest));
  }
  return blocks;
}

struct Line {
  std::size_t begin, end, indent;
  bool blank, continued;  // continued: inside brackets that an earlier line opened
};

std::vector<Line> lines_of(std::string_view mask, std::size_t begin, std::size_t end) {
  std::vector<Line> lines;
  int depth = 0;
  for (std::size_t at = begin; at < end;) {
    Line line{at, line_end(mask, at, end), 0, true, depth > 0};
    for (std::size_t i = at; i < line.end; ++i) {
      const char c = mask[i];
      if (line.blank && !space(c)) {
        line.blank = false;
        line.indent = i - at;
      }
      depth += c == '(' || c == '[' || c == '{' ? 1 : c == ')' || c == ']' || c == '}' ? -1 : 0;
      depth = std::max(depth, 0);
    }
    at = line.end;
    lines.push_back(line);
  }
  return lines;
}

std::vector<CodeBlock> scan_indented(std::string_view mask, std::size_t begin, std::size_t end) {
  const std::vector<Line> lines = lines_of(mask, begin, end);
  std::size_t outer = std::string_view::npos;
  for (const Line& line : lines)
    if (!line.blank && !line.continued) outer = std::min(outer, line.indent);
  std::vector<CodeBlock> blocks;
  std::size_t start = begin;
  for (std::size_t n = 0; n < lines.size(); ++n) {
    const Line& line = lines[n];
    if (line.blank || line.continued || line.indent != outer) continue;
    const auto words = words_of(mask.substr(line.begin, line.end - line.begin));
    const char first = mask[line.begin + line.indent];
    if (first == '@' || words.empty()) continue;  // a decorator stands before its function
    const bool type = words[0] == "class";
    const bool function = words[0] == "def" || (words[0] == "async" && words.size() > 1 && words[1] == "def");
    std::size_t last = n + 1;
    while (last < lines.size() && (lines[last].blank || lines[last].continued || lines[last].indent > outer))
      ++last;
    while (last > n + 1 && lines[last - 1].blank) --last;  // comments before the next one are the next one's
    CodeBlock block;
    block.begin = start;
    block.end = start = lines[last - 1].end;
    if (type || function) {
      block.kind = type ? Kind::kType : Kind::kFunction;
      const std::size_t name = words[0] == "async" ? 2 : 1;
      if (words.size() > name) block.name = std::string(words[name]);
      std::size_t body = n + 1;
      while (body < last && lines[body].continued) ++body;
      block.body_begin = body < last ? lines[body].begin : block.end;
      block.body_end = block.end;
    }
    blocks.push_back(std::move(block));
    n = last - 1;
  }
  if (start < end) {
    CodeBlock rest;
    rest.begin = start;
    rest.end = end;
    blocks.push_back(std::move(rest));
  }
  return blocks;
}

}  // namespace

std::vector<CodeBlock> scan_code(std::string_view mask, CodeSyntax syntax, std::size_t begin,
                                 std::size_t end) {
  return syntax == CodeSyntax::kIndent ? scan_indented(mask, begin, end)
                                       : scan_braces(mask, syntax, begin, end);
}

}  // namespace consort
