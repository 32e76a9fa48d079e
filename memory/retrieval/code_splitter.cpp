#include "memory/retrieval/code_splitter.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "memory/base/text.h"
#include "memory/retrieval/code_scanner.h"

namespace consort {
namespace {

constexpr std::size_t kLeastBytes = 24;  // of what stands alone: "namespace {" says nothing
constexpr int kMaxDepth = 12;            // of namespaces and classes inside each other

class Splitter {
 public:
  Splitter(std::string_view text, CodeSyntax syntax, const CodeSplitOptions& options)
      : text_(text), syntax_(syntax), limit_(std::max<std::size_t>(options.max_bytes, 64)) {
    line_starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '\n') line_starts_.push_back(i + 1);
  }

  std::vector<CodePiece> run() {
    if (text_.size() <= limit_) {
      add(0, text_.size(), "file", "");
    } else if (syntax_ == CodeSyntax::kNone) {
      add(0, text_.size(), "declarations", "");
    } else {
      mask_ = mask_code(text_, syntax_);
      scan(0, text_.size(), "", 0);
    }
    return std::move(pieces_);
  }

 private:
  // Everything between two functions or classes becomes one piece.
  void scan(std::size_t begin, std::size_t end, const std::string& outer, int depth) {
    std::size_t rest = begin;
    const char* between = "declarations";
    for (const CodeBlock& block : scan_code(mask_, syntax_, begin, end)) {
      using Kind = CodeBlock::Kind;
      if (block.kind == Kind::kOther) continue;
      const std::string name = joined(outer, block.name);
      const bool whole = block.kind == Kind::kFunction || depth >= kMaxDepth ||
                         (block.kind == Kind::kType && block.end - block.begin <= limit_);
      if (whole) {
        add(rest, block.begin, between, outer);
        add(block.begin, block.end, block.kind == Kind::kType ? "class" : "function", name);
      } else if (block.kind == Kind::kType) {
        add(rest, block.begin, between, outer);
        add(block.begin, block.body_begin, "class", name);
        scan(block.body_begin, block.body_end, name, depth + 1);
      } else {
        add(rest, block.body_begin, between, outer);
        scan(block.body_begin, block.body_end, outer, depth + 1);
      }
      rest = block.end;
    }
    add(rest, end, between, outer);
  }

  std::string joined(const std::string& outer, const std::string& name) const {
    if (outer.empty()) return name;
    if (name.empty()) return outer;
    const bool dots = syntax_ == CodeSyntax::kIndent || syntax_ == CodeSyntax::kScript;
    return outer + (dots ? "." : "::") + name;
  }

  std::size_t line_of(std::size_t at) const {
    return static_cast<std::size_t>(std::upper_bound(line_starts_.begin(), line_starts_.end(), at) -
                                    line_starts_.begin());
  }

  // One piece, or several of at most limit_ bytes cut between lines (between bytes where a line is longer).
  void add(std::size_t begin, std::size_t end, const char* kind, const std::string& symbol) {
    const auto blank = [&](std::size_t i) { return std::isspace(static_cast<unsigned char>(text_[i])) != 0; };
    while (end > begin && blank(end - 1)) --end;
    std::size_t first = begin;
    while (first < end && blank(first)) ++first;
    if (first == end || !says_something(first, end)) return;
    if (symbol.empty() && end - first < kLeastBytes && end - first < text_.size()) return;
    while (first > begin && text_[first - 1] != '\n') --first;  // keep the indentation
    while (first < end) {
      std::size_t stop = end;
      if (end - first > limit_) {
        const std::size_t cut = text_.rfind('\n', first + limit_);
        stop = cut == std::string_view::npos || cut <= first ? first + limit_ : cut + 1;
        while (stop > first + 1 && stop < end && (static_cast<unsigned char>(text_[stop]) & 0xc0) == 0x80)
          --stop;
      }
      if (stop < end && !says_something(stop, end)) stop = end;  // the closing brace
      put(first, stop, kind, symbol);
      first = stop;
    }
  }
  // Not only brackets and semicolons.
  bool says_something(std::size_t begin, std::size_t end) const {
    return std::any_of(text_.begin() + static_cast<std::ptrdiff_t>(begin),
                       text_.begin() + static_cast<std::ptrdiff_t>(end),
                       [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; });
  }
  void put(std::size_t begin, std::size_t end, const char* kind, const std::string& symbol) {
    CodePiece piece;
    bool replaced = false;
    piece.text = to_utf8(text_.substr(begin, end - begin), replaced);
    while (!piece.text.empty() && (piece.text.back() == '\n' || piece.text.back() == '\r'))
      piece.text.pop_back();
    if (piece.text.empty()) return;
    piece.kind = kind;
    piece.symbol = symbol;
    piece.first_line = line_of(begin);
    piece.last_line = line_of(end - 1);
    piece.position = pieces_.size();
    pieces_.push_back(std::move(piece));
  }

  std::string_view text_;
  CodeSyntax syntax_;
  std::size_t limit_;
  std::string mask_;
  std::vector<std::size_t> line_starts_;
  std::vector<CodePiece> pieces_;
};

}  // namespace

std::vector<CodePiece> split_code(std::string_view text, CodeSyntax syntax, const CodeSplitOptions& options) {
  return Splitter(text, syntax, options).run();
}

std::string code_item_text(std::string_view path, const CodePiece& piece) {
  std::string text(path);
  if (!piece.symbol.empty()) text += " " + piece.symbol + " (" + identifier_words(piece.symbol) + ")";
  return text + "\n" + piece.text;
}

std::string identifier_words(std::string_view name) {
  std::string words;
  char before = 0;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool word = std::isalnum(byte) != 0 || byte >= 0x80;
    const bool hump = std::isupper(byte) != 0 && std::islower(static_cast<unsigned char>(before)) != 0;
    if ((!word || hump) && !words.empty() && words.back() != ' ') words += ' ';
    if (word) words += static_cast<char>(std::tolower(byte));
    before = c;
  }
  while (!words.empty() && words.back() == ' ') words.pop_back();
  return words;
}

}  // namespace consort
