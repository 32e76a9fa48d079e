// Reads a unigram vocabulary from tokenizer.json. Whatever the pipeline in it holds that is not known here is
// refused by its name. JSON stays inside this file.
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "models/formats/byte_reader.h"
#include "models/formats/json_check.h"
#include "models/formats/mapped_file.h"
#include "models/tokenizer/unigram.h"

namespace consort {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxFileBytes = 128u << 20;  // T5: 1.4 MB, mT5: 16 MB
constexpr std::size_t kMaxTokens = 1u << 22, kMaxTokenBytes = 1024, kMaxSteps = 64;
constexpr std::string_view kSpaceStandIn = "\xE2\x96\x81";  // U+2581

[[noreturn]] void corrupt(const std::string& what) {
  throw FormatError(ErrorKind::kCorrupt, what);
}
[[noreturn]] void unsupported(const std::string& what) {
  throw FormatError(ErrorKind::kUnsupported, what, "",
                    "a unigram vocabulary with another pipeline is not read");
}

std::string path_of(const std::string& folder) {
  return (std::filesystem::path(folder) / "tokenizer.json").string();
}

Json read_json(const std::string& path) {
  auto file = MappedFile::open(path);
  if (!file) throw FormatError(std::move(file.error()));
  if (file->size() > kMaxFileBytes) corrupt("far larger than such a file is");
  const std::string text(reinterpret_cast<const char*>(file->bytes().data()), file->size());
  check_json(text, 32, "the tokenizer");
  return Json::parse(text);
}

std::string type_of(const Json& part) {
  return part.at("type").get<std::string>();
}

std::string from_base64(const std::string& text) {
  std::string out;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    if (c == '=') break;
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+'             ? 62
                      : c == '/'             ? 63
                                             : -1;
    if (value < 0) corrupt("a table that is not base64");
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if ((have += 6) < 8) continue;
    have -= 8;
    out += static_cast<char>(bits >> have & 0xff);
  }
  return out;
}

using Step = NormalizerStep;

void take_replacement(const Json& part, std::vector<Step>& steps) {
  Step step;
  step.to = part.at("content").get<std::string>();
  const Json& pattern = part.at("pattern");
  if (const auto text = pattern.find("String"); text != pattern.end()) {
    step.kind = Step::Kind::kReplaceText;
    step.from = text->get<std::string>();
  } else {
    const auto regex = pattern.at("Regex").get<std::string>();
    step.kind = Step::Kind::kReplaceRuns;
    if (!RunPattern::parse(regex, step.pattern)) unsupported("the pattern " + printable(regex));
  }
  steps.push_back(std::move(step));
}

void take_normalizer(const Json& part, std::vector<Step>& steps) {
  if (part.is_null()) return;
  if (steps.size() > kMaxSteps) corrupt("a normaliser of very many steps");
  const std::string type = type_of(part);
  const auto simple = [&](Step::Kind kind) {
    Step step;
    step.kind = kind;
    steps.push_back(std::move(step));
  };
  if (type == "Sequence") {
    for (const Json& inner : part.at("normalizers")) take_normalizer(inner, steps);
  } else if (type == "Lowercase") {
    simple(Step::Kind::kLower);
  } else if (type == "Strip") {
    if (part.at("strip_left").get<bool>()) simple(Step::Kind::kStripLeft);
    if (part.at("strip_right").get<bool>()) simple(Step::Kind::kStripRight);
  } else if (type == "Replace") {
    take_replacement(part, steps);
  } else if (type == "Prepend") {
    simple(Step::Kind::kPrepend);
    steps.back().to = part.at("prepend").get<std::string>();
  } else if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
    simple(type == "NFC"    ? Step::Kind::kNfc
           : type == "NFD"  ? Step::Kind::kNfd
           : type == "NFKC" ? Step::Kind::kNfkc
                            : Step::Kind::kNfkd);
  } else if (type == "Precompiled") {
    const Json& packed = part.at("precompiled_charsmap");
    if (packed.is_null() || packed.get_ref<const std::string&>().empty()) return;
    const auto map = std::make_shared<PrecompiledMap>();
    if (!map->read(from_base64(packed.get_ref<const std::string&>())))
      corrupt("the normaliser's compiled table is damaged");
    simple(Step::Kind::kPrecompiled);
    steps.back().map = map;
  } else {
    unsupported("the normaliser " + printable(type));
  }
}

void take_metaspace(const Json& part, Unigram::Parts& parts) {
  if (part.value("replacement", std::string(kSpaceStandIn)) != kSpaceStandIn)
    unsupported("a stand-in of the space other than U+2581");
  std::string scheme = part.value("add_prefix_space", true) ? "always" : "never";
  if (const auto given = part.find("prepend_scheme"); given != part.end()) scheme = given->get<std::string>();
  if (scheme != "always" && scheme != "first" && scheme != "never")
    unsupported("the prefix scheme " + printable(scheme));
  parts.prefix = scheme == "always"  ? Unigram::Prefix::kAlways
                 : scheme == "first" ? Unigram::Prefix::kFirst
                                     : Unigram::Prefix::kNever;
  parts.splits_words = part.value("split", true);
}

// Metaspace, alone or behind a split at white space.
void take_pre_tokenizer(const Json& part, Unigram::Parts& parts) {
  if (part.is_null()) unsupported("no pre-tokeniser");
  const std::string type = type_of(part);
  if (type == "Metaspace") return take_metaspace(part, parts);
  if (type != "Sequence") unsupported("the pre-tokeniser " + printable(type));
  const Json& list = part.at("pretokenizers");
  if (list.size() != 2 || type_of(list.at(0)) != "WhitespaceSplit" || type_of(list.at(1)) != "Metaspace")
    unsupported("a sequence of pre-tokenisers other than WhitespaceSplit, Metaspace");
  take_metaspace(list.at(1), parts);
  if (parts.prefix != Unigram::Prefix::kAlways) unsupported("words without a space in front");
  parts.white_space_words = true;
}

// "<0x41>" is 0x41; -1 for other texts.
int byte_of(std::string_view token) {
  if (token.size() != 6 || token.substr(0, 3) != "<0x" || token[5] != '>') return -1;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

std::string with_spaces(std::string_view piece) {
  std::string out;
  for (std::size_t at = 0; at < piece.size();) {
    if (piece.substr(at, kSpaceStandIn.size()) == kSpaceStandIn) {
      out += ' ';
      at += kSpaceStandIn.size();
    } else {
      out += piece[at++];
    }
  }
  return out;
}

struct Vocabulary {
  std::vector<std::string> pieces;
  std::vector<double> scores;
};

Vocabulary read_vocabulary(const Json& model) {
  const Json& list = model.at("vocab");
  if (!list.is_array() || list.empty() || list.size() > kMaxTokens)
    corrupt("the vocabulary is not a list of pieces");
  Vocabulary out;
  for (const Json& entry : list) {
    out.pieces.push_back(entry.at(0).get<std::string>());
    out.scores.push_back(entry.at(1).get<double>());
    if (out.pieces.back().size() > kMaxTokenBytes || !std::isfinite(out.scores.back()))
      corrupt("a piece of the vocabulary that cannot be");
  }
  return out;
}

// Special and other added tokens: their ids must be pieces of the vocabulary or follow it without a gap.
void take_added(const Json& root, Vocabulary& vocabulary, std::vector<TokenType>& types,
                std::vector<SpecialMatcher::Entry>& entries) {
  const auto added = root.find("added_tokens");
  if (added == root.end() || added->is_null()) return;
  for (const Json& token : *added) {
    const auto id = token.at("id").get<std::uint64_t>();
    const auto text = token.at("content").get<std::string>();
    for (const char* flag : {"single_word", "lstrip", "rstrip"})
      if (token.value(flag, false)) unsupported("an added token with " + std::string(flag));
    if (text.empty() || text.size() > SpecialMatcher::kMaxTextBytes || id > vocabulary.pieces.size())
      corrupt("an added token that cannot be");
    if (id == vocabulary.pieces.size()) {
      vocabulary.pieces.push_back(text);
      vocabulary.scores.push_back(0);
      types.push_back(TokenType::kUnused);
    } else if (vocabulary.pieces[id] != text) {
      corrupt("an added token with the id of another piece");
    }
    const bool special = token.value("special", false);
    types[id] = special ? TokenType::kControl : TokenType::kUserDefined;
    entries.push_back({{}, static_cast<TokenId>(id), special});
  }
  std::size_t total = 0;
  for (SpecialMatcher::Entry& entry : entries) {  // only now: the list of pieces does not grow any more
    entry.text = vocabulary.pieces[static_cast<std::size_t>(entry.id)];
    total += entry.text.size();
  }
  if (total > SpecialMatcher::kMaxTotalBytes) corrupt("added tokens of many megabytes");
}

TokenId special_id(const Json& special, const Vocabulary& vocabulary) {
  const auto name = special.at("SpecialToken").at("id").get<std::string>();
  for (std::size_t i = 0; i < vocabulary.pieces.size(); ++i)
    if (vocabulary.pieces[i] == name) return static_cast<TokenId>(i);
  corrupt("the template names a token that is not there");
}

// [one token] text [one token]
void take_template(const Json& root, const Vocabulary& vocabulary, TokenRoles& roles) {
  const auto processor = root.find("post_processor");
  if (processor == root.end() || processor->is_null()) return;
  if (type_of(*processor) != "TemplateProcessing")
    unsupported("the post-processor " + printable(type_of(*processor)));
  bool seen = false;
  for (const Json& part : processor->at("single")) {
    if (part.contains("Sequence")) {
      seen = true;
      continue;
    }
    auto& role = seen ? roles.eos : roles.bos;
    if (role) unsupported("a template with several tokens on one side");
    role = special_id(part, vocabulary);
    (seen ? roles.adds_eos : roles.adds_bos) = true;
  }
  if (roles.eos) roles.end_of_generation = {*roles.eos};
}

std::unique_ptr<Tokenizer> build(const Json& root) {
  const Json& model = root.at("model");
  if (type_of(model) != "Unigram") unsupported("the tokenizer model " + printable(type_of(model)));
  Unigram::Parts parts;
  std::vector<Step> steps;
  if (const auto normalizer = root.find("normalizer"); normalizer != root.end())
    take_normalizer(*normalizer, steps);
  take_pre_tokenizer(root.at("pre_tokenizer"), parts);
  parts.normalizer = TextNormalizer(std::move(steps));
  Vocabulary vocabulary = read_vocabulary(model);
  parts.types.assign(vocabulary.pieces.size(), TokenType::kNormal);
  parts.byte_fallback = model.value("byte_fallback", false);
  parts.byte_ids.fill(-1);
  std::vector<SpecialMatcher::Entry> entries;
  take_added(root, vocabulary, parts.types, entries);
  if (const auto unknown = model.find("unk_id"); unknown != model.end() && !unknown->is_null()) {
    const auto id = unknown->get<std::uint64_t>();
    if (id >= vocabulary.pieces.size()) corrupt("the unknown token is outside the vocabulary");
    parts.roles.unknown = static_cast<TokenId>(id);
    parts.types[id] = TokenType::kUnknown;
  }
  take_template(root, vocabulary, parts.roles);
  std::vector<bool> indexed;
  for (std::size_t i = 0; i < vocabulary.pieces.size(); ++i) {
    const std::string& piece = vocabulary.pieces[i];
    const int byte = parts.byte_fallback && parts.types[i] == TokenType::kNormal ? byte_of(piece) : -1;
    if (byte >= 0) {
      parts.byte_ids[static_cast<std::size_t>(byte)] = static_cast<TokenId>(i);
      parts.types[i] = TokenType::kByte;
    }
    parts.table.add(byte >= 0 ? std::string(1, static_cast<char>(byte)) : with_spaces(piece));
    indexed.push_back(parts.types[i] == TokenType::kNormal || parts.types[i] == TokenType::kUserDefined);
  }
  parts.table.build(indexed);
  parts.scores = std::move(vocabulary.scores);
  parts.matcher = SpecialMatcher(entries);
  return std::make_unique<Unigram>(std::move(parts));
}

}  // namespace

bool is_unigram_folder(const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::exists(path_of(folder), error)) return false;
  try {
    return type_of(read_json(path_of(folder)).at("model")) == "Unigram";
  } catch (const std::exception&) {
    return false;
  }
}

Result<std::unique_ptr<Tokenizer>> load_unigram(const std::string& folder) {
  try {
    return build(read_json(path_of(folder)));
  } catch (FormatError& e) {
    if (e.error.where.empty()) e.error.where = path_of(folder);
    return tl::unexpected<Error>(std::move(e.error));
  } catch (const Json::exception& e) {
    return fail(ErrorKind::kCorrupt, "the tokenizer is not the JSON expected", path_of(folder));
  }
}

}  // namespace consort
