#include "protocols/cli/commands/bench_inputs.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>

#include <fmt/format.h>

namespace consort::bench {
namespace {

constexpr const char* kWords[] = {"harbour", "the",   "light",  "of",      "evening", "report", "measured",
                                  "water",   "and",   "turned", "slowly",  "keeper",  "bread",  "mountain",
                                  "engine",  "quiet", "paper",  "signals", "winter",  "model"};
// Of paragraphs; the first are drawn most often, as in any language.
constexpr const char* kVocabulary[] = {
    "the",       "of",      "and",      "to",       "a",         "in",        "was",       "that",
    "it",        "for",     "on",       "with",     "as",        "at",        "by",        "from",
    "his",       "had",     "were",     "not",      "but",       "which",     "they",      "one",
    "all",       "their",   "there",    "would",    "when",      "after",     "before",    "over",
    "water",     "light",   "station",  "keeper",   "island",    "boat",      "morning",   "evening",
    "winter",    "summer",  "storm",    "wind",     "north",     "south",     "harbour",   "signal",
    "engine",    "lamp",    "oil",      "glass",    "tower",     "rock",      "bird",      "seal",
    "nest",      "count",   "record",   "measured", "reading",   "pressure",  "rain",      "cloud",
    "visitor",   "letter",  "supply",   "bread",    "coal",      "repaired",  "painted",   "opened",
    "closed",    "arrived", "left",     "returned", "reported",  "noticed",   "carried",   "wrote",
    "heard",     "waited",  "turned",   "broken",   "quiet",     "heavy",     "small",     "old",
    "new",       "long",    "cold",     "clear",    "early",     "late",      "western",   "railing",
    "window",    "kitchen", "garden",   "stairs",   "barometer", "telegraph", "machinery", "lantern",
    "anchor",    "rope",    "ladder",   "meadow",   "mountain",  "village",   "teacher",   "doctor",
    "fisherman", "captain", "daughter", "brother",  "neighbour"};
// Names and structures of common compounds; public knowledge.
constexpr const char* kMolecules[] = {"CC(=O)OC1=CC=CC=C1C(=O)O",
                                      "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
                                      "CC(C)CC1=CC=C(C=C1)C(C)C(=O)O",
                                      "CC(=O)NC1=CC=C(C=C1)O",
                                      "C1=CC=C(C=C1)C(=O)O",
                                      "CCOC(=O)C1=CC=C(C=C1)N",
                                      "CN(C)CCOC(C1=CC=CC=C1)C1=CC=CC=C1",
                                      "OC(=O)C1=CC=CC=C1O",
                                      "CC1=C(C=C(C=C1)N)O",
                                      "C1CCC(CC1)NC(=O)C1=CC=CN=C1",
                                      "COC1=CC=C(C=C1)CCN",
                                      "CCN(CC)CC(=O)NC1=C(C)C=CC=C1C"};

// SplitMix64 (Steele, Lea, Flood 2014).
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : state_(seed) {}
  std::uint64_t below(std::uint64_t n) {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % n;
  }

 private:
  std::uint64_t state_;
};

std::string paragraph(std::size_t number) {
  Draws draws(number);
  std::string text = fmt::format("Entry {:06} of the log.", number);
  const auto words = static_cast<int>(12 + draws.below(74));
  int left_in_sentence = 0;
  for (int w = 0; w < words; ++w) {
    const bool first = left_in_sentence == 0;
    if (first) left_in_sentence = static_cast<int>(6 + draws.below(9));
    const std::uint64_t rank =
        std::min(draws.below(std::size(kVocabulary)), draws.below(std::size(kVocabulary)));
    std::string word = kVocabulary[rank];
    if (first) word[0] = static_cast<char>(word[0] - 'a' + 'A');
    text += " " + word;
    if (--left_in_sentence == 0 || w + 1 == words) text += ".";
  }
  return text;
}

void append_big32(std::string& out, std::uint32_t n) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(n >> shift);
}

// CRC-32 of PNG chunks (PNG specification, annex D).
std::uint32_t crc32(const std::string& text) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char c : text) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

void append_chunk(std::string& out, const std::string& kind, const std::string& data) {
  append_big32(out, static_cast<std::uint32_t>(data.size()));
  out += kind + data;
  append_big32(out, crc32(kind + data));
}

// The zlib format with stored blocks (RFC 1950, RFC 1951 section 3.2.4).
std::string stored_zlib(const std::string& data) {
  constexpr std::size_t kMost = 65535;
  std::string out = "\x78\x01";
  for (std::size_t at = 0; at < data.size(); at += kMost) {
    const std::size_t n = std::min(kMost, data.size() - at);
    out += static_cast<char>(at + n == data.size());
    for (const std::size_t v : {n, ~n & 0xFFFF}) {
      out += static_cast<char>(v);
      out += static_cast<char>(v >> 8);
    }
    out.append(data, at, n);
  }
  std::uint32_t a = 1, b = 0;
  for (const char c : data) {
    a = (a + static_cast<std::uint8_t>(c)) % 65521;
    b = (b + a) % 65521;
  }
  append_big32(out, b << 16 | a);
  return out;
}

std::string png(int width, int height, int salt) {
  std::string head, rows, out = "\x89PNG\r\n\x1a\n";
  append_big32(head, static_cast<std::uint32_t>(width));
  append_big32(head, static_cast<std::uint32_t>(height));
  head += std::string("\x08\x02\x00\x00\x00", 5);  // 8 bits, RGB
  for (int y = 0; y < height; ++y) {
    rows += '\0';  // no filter
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) rows += static_cast<char>((x * (c + 1) + y * (3 - c) + salt * 37) / 3);
  }
  append_chunk(out, "IHDR", head);
  append_chunk(out, "IDAT", stored_zlib(rows));
  append_chunk(out, "IEND", "");
  return out;
}

ModelInput bytes_item(InputKind kind, std::string content, std::string name) {
  ModelInput item;
  item.kind = kind;
  item.bytes = SharedBytes::of(std::move(content));
  item.name = std::move(name);
  return item;
}

}  // namespace

ItemSet sentences(int count) {
  ItemSet out{"texts_per_s", {}};
  for (int i = 0; i < count; ++i) {
    std::string text = fmt::format("note {}:", i);
    for (int w = 0; w < 6 + i * 7 % 35; ++w)
      text += fmt::format(" {}", kWords[static_cast<std::size_t>(i * 13 + w * 7) % std::size(kWords)]);
    out.items.emplace_back();
    out.items.back().text = std::move(text);
  }
  return out;
}

std::vector<std::string> paragraphs(std::size_t first, std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(paragraph(first + i));
  return out;
}

Result<ItemSet> lines_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorKind::kNotFound, "cannot read the texts", file, "check --texts");
  ItemSet out{"texts_per_s", {}};
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) continue;
    out.items.emplace_back();
    out.items.back().text = line;
  }
  if (out.items.empty()) return fail(ErrorKind::kInvalid, "no line with a text", file, "check --texts");
  return out;
}

ItemSet molecules(int count) {
  ItemSet out{"graphs_per_s", {}};
  for (int i = 0; i < count; ++i) {
    out.items.emplace_back();
    out.items.back().kind = InputKind::kMolecule;
    out.items.back().text = kMolecules[static_cast<std::size_t>(i) % std::size(kMolecules)];
  }
  return out;
}

ItemSet pictures(int count) {
  ItemSet out{"images_per_s", {}};
  for (int i = 0; i < count; ++i)
    out.items.push_back(bytes_item(InputKind::kImage, png(640, 480, i), fmt::format("picture-{}.png", i)));
  return out;
}

ItemSet source_files(int count) {
  ItemSet out{"files_per_s", {}};
  for (int i = 0; i < count; ++i) {
    std::string text = fmt::format("#include <cstdio>\n\n// File {}.\n", i);
    for (int f = 0; text.size() < 2048; ++f)
      text += fmt::format("int value_{}(int x) {{\n  return x * {} + {};\n}}\n\n", f, f + i, f);
    out.items.push_back(bytes_item(InputKind::kFile, std::move(text), fmt::format("file-{}.cpp", i)));
  }
  return out;
}

}  // namespace consort::bench
