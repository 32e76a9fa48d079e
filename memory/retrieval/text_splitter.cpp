#include "memory/retrieval/text_splitter.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "memory/base/text.h"

namespace consort {
namespace {

// Words whose point does not end a sentence.
constexpr std::array<std::string_view, 22> kAbbreviations{
    "mr", "mrs", "ms", "dr",  "prof", "st",     "no",   "vs", "etc", "eg",  "e.g",
    "ie", "i.e", "cf", "fig", "sec",  "approx", "dept", "jr", "sr",  "inc", "vol"};

bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && blank(s.back())) s.remove_suffix(1);
  return s;
}

std::string collapsed(std::string_view s) {
  std::string out;
  for (const char c : trimmed(s)) {
    if (!blank(c))
      out.push_back(c);
    else if (out.back() != ' ')
      out.push_back(' ');
  }
  return out;
}

// UTF-8 without control characters (line feeds and tabs stay).
std::string cleaned(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // byte order mark
  bool replaced = false;
  std::string out = to_utf8(text, replaced);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f) c = ' ';
  }
  return out;
}

std::string_view word_before(std::string_view text, std::size_t point) {
  std::size_t begin = point;
  while (begin > 0 && !blank(text[begin - 1]) && text[begin - 1] != '(') --begin;
  return text.substr(begin, point - begin);
}

// Is the mark at `i` the end of a sentence? `next` is the first byte that is not blank behind it.
bool ends_sentence(std::string_view text, std::size_t i, char next) {
  if (std::islower(static_cast<unsigned char>(next))) return false;
  if (text[i] != '.') return true;
  const std::string_view word = word_before(text, i);
  if (word.size() == 1 && std::isupper(static_cast<unsigned char>(word[0]))) return false;  // an initial
  std::string lower(word);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::find(kAbbreviations.begin(), kAbbreviations.end(), lower) == kAbbreviations.end();
}

struct Block {
  std::string text;
  std::size_t line = 0;
  int heading = 0;    // 1 to 6
  bool code = false;  // kept as it is
};

int heading_level(std::string_view line) {
  std::size_t level = 0;
  while (level < line.size() && line[level] == '#') ++level;
  return level >= 1 && level <= 6 && level < line.size() && blank(line[level]) ? static_cast<int>(level) : 0;
}

bool list_item(std::string_view line, std::string_view& rest) {
  line = trimmed(line);
  std::size_t digits = 0;
  while (digits < line.size() && std::isdigit(static_cast<unsigned char>(line[digits]))) ++digits;
  const bool bullet =
      line.size() > 2 && (line[0] == '-' || line[0] == '*' || line[0] == '+') && line[1] == ' ';
  const bool number = digits > 0 && digits < 4 && line.size() > digits + 2 &&
                      (line[digits] == '.' || line[digits] == ')') && line[digits + 1] == ' ';
  if (bullet) rest = line.substr(2);
  if (number) rest = line.substr(digits + 2);
  return bullet || number;
}

// Markdown's blocks, as far as a memory needs them: headings, paragraphs, list items, code.
class BlockReader {
 public:
  std::vector<Block> read(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      ++line_;
      take(text.substr(at, end - at));
      at = end + 1;
    }
    flush();
    return std::move(blocks_);
  }

 private:
  void take(std::string_view line) {
    const std::string_view body = trimmed(line);
    const bool fence = body.starts_with("```") || body.starts_with("~~~");
    if (in_code_ || fence) {
      if (fence)
        flush();
      else
        append(line, true);
      if (fence) in_code_ = !in_code_;
      return;
    }
    if (body.empty()) return flush();
    if (line_ > 1 && !current_.text.empty() && underline(body)) {  // a heading of two lines
      current_.heading = body[0] == '=' ? 1 : 2;
      return flush();
    }
    if (body.find_first_not_of("-=*_ ") == std::string_view::npos && body.size() >= 3)
      return flush();  // a rule
    std::string_view rest;
    if (const int level = heading_level(body)) {
      flush();
      append(body.substr(static_cast<std::size_t>(level)), false);
      while (!current_.text.empty() && current_.text.back() == '#') current_.text.pop_back();
      current_.heading = level;
      return flush();
    }
    if (list_item(body, rest)) {
      flush();
      return append(rest, false);
    }
    append(body.starts_with("> ") ? body.substr(2) : body, false);
  }
  static bool underline(std::string_view body) {
    return body.size() >= 3 && (body.find_first_not_of('=') == std::string_view::npos ||
                                body.find_first_not_of('-') == std::string_view::npos);
  }
  void append(std::string_view text, bool code) {
    if (current_.text.empty()) current_.line = line_;
    if (!current_.text.empty()) current_.text.push_back('\n');
    current_.text += text;
    current_.code = code;
  }
  void flush() {
    current_.text = current_.code ? current_.text : collapsed(current_.text);
    if (!trimmed(current_.text).empty()) blocks_.push_back(std::move(current_));
    current_ = Block{};
  }

  std::vector<Block> blocks_;
  Block current_;
  std::size_t line_ = 0;
  bool in_code_ = false;
};

// The largest cut at or below `limit` that splits no character; between words where possible.
std::size_t cut_at(std::string_view text, std::size_t limit) {
  std::size_t cut = limit;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
  const std::size_t space = text.rfind(' ', cut);
  if (space != std::string_view::npos && space > 0) return space;
  return cut == 0 ? limit : cut;
}

void push_cut(std::string_view text, std::size_t max_bytes, std::vector<std::string>& out) {
  text = trimmed(text);
  while (text.size() > max_bytes) {
    const std::size_t cut = cut_at(text, max_bytes);
    out.emplace_back(trimmed(text.substr(0, cut)));
    text = trimmed(text.substr(cut));
  }
  if (!text.empty()) out.emplace_back(text);
}

// One block as pieces of at most max_bytes: whole sentences together while they fit, or one by one.
std::vector<std::string> cut_block(const Block& block, const SplitOptions& options) {
  std::vector<std::string> out;
  const std::size_t max_bytes = std::max<std::size_t>(options.max_bytes, 16);
  const bool sentences = options.unit == SplitOptions::Unit::kSentence && !block.code;
  if (!sentences && block.text.size() <= max_bytes) return {block.text};
  if (block.code) {
    push_cut(block.text, max_bytes, out);
    return out;
  }
  std::string together;
  for (const std::string& sentence : split_sentences(block.text)) {
    if (sentences || together.size() + 1 + sentence.size() > max_bytes) {
      push_cut(together, max_bytes, out);
      together.clear();
    }
    together += (together.empty() ? "" : " ") + sentence;
  }
  push_cut(together, max_bytes, out);
  return out;
}

}  // namespace

std::vector<std::string> split_sentences(std::string_view paragraph) {
  std::vector<std::string> out;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < paragraph.size(); ++i) {
    if (paragraph[i] != '.' && paragraph[i] != '!' && paragraph[i] != '?') continue;
    std::size_t end = i + 1;
    while (end < paragraph.size() &&
           std::string_view(".!?\"')]").find(paragraph[end]) != std::string_view::npos)
      ++end;
    std::size_t next = end;
    while (next < paragraph.size() && blank(paragraph[next])) ++next;
    if (next >= paragraph.size()) break;
    if (next > end && ends_sentence(paragraph, i, paragraph[next])) {
      out.push_back(collapsed(paragraph.substr(begin, end - begin)));
      begin = next;
    }
    i = end - 1;
  }
  if (const auto last = trimmed(paragraph.substr(begin)); !last.empty()) out.push_back(collapsed(last));
  return out;
}

std::vector<TextPiece> split_text(std::string_view text, const SplitOptions& options) {
  const std::string clean = cleaned(text);
  std::vector<TextPiece> pieces;
  std::string title;
  std::array<std::string, 7> headings;  // by level
  for (const Block& block : BlockReader().read(clean)) {
    if (block.heading > 0) {
      if (title.empty()) {
        title = block.text;
        continue;
      }
      headings[static_cast<std::size_t>(block.heading)] = block.text;
      for (std::size_t below = static_cast<std::size_t>(block.heading) + 1; below < headings.size(); ++below)
        headings[below].clear();
      continue;
    }
    std::string section;
    for (const std::string& heading : headings) {
      if (!heading.empty()) section += (section.empty() ? "" : " / ") + heading;
    }
    for (std::string& piece : cut_block(block, options)) {
      pieces.push_back({std::move(piece), title, section, pieces.size(), block.line});
    }
  }
  for (TextPiece& piece : pieces) piece.title = title;
  return pieces;
}

}  // namespace consort
