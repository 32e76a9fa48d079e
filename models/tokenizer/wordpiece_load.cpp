// Reads WordPiece vocabularies from tokenizer.json and vocab.txt. JSON stays inside this file.
#include <algorithm>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "models/formats/mapped_file.h"
#include "models/tokenizer/wordpiece.h"

namespace consort {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxFileBytes = 64u << 20;  // MiniLM's tokenizer.json: 0.5 MB
constexpr std::size_t kMaxTokens = 4u << 20;
constexpr std::size_t kMaxDepth = 32;  // of nested JSON; the real files have 6 levels

// Nesting is bounded before parsing, so that a file of brackets cannot build a deep tree.
bool too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

const Json& member(const Json& object, const char* key) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(key);
  return found == object.end() ? none : *found;
}

std::string text_of(const Json& value, std::string fallback = {}) {
  return value.is_string() ? value.get<std::string>() : std::move(fallback);
}

// An id within [0, limit), or -1.
TokenId id_of(const Json& value, std::size_t limit) {
  if (!value.is_number_unsigned()) return -1;
  const auto id = value.get<std::uint64_t>();
  return id < limit ? static_cast<TokenId>(id) : -1;
}

// A Boolean option that must have the one value this implementation knows.
Status require(const Json& object, const char* key, bool wanted, bool fallback, const std::string& where) {
  const Json& value = member(object, key);
  const bool set = value.is_null() ? fallback : value.is_boolean() && value.get<bool>();
  if (!value.is_null() && !value.is_boolean())
    return fail(ErrorKind::kCorrupt, std::string("'") + key + "' must be true or false", where);
  if (set != wanted)
    return fail(ErrorKind::kUnsupported,
                std::string("normalizer option '") + key + "' = " + (set ? "true" : "false"), where,
                "only uncased BERT is supported");
  return {};
}

Status check_pipeline(const Json& root, const std::string& where) {
  const auto unsupported = [&](const char* part, const Json& value) {
    return fail(ErrorKind::kUnsupported,
                std::string("unknown ") + part + " '" + text_of(member(value, "type"), "none") + "'", where,
                "supported: the WordPiece pipeline of uncased BERT");
  };
  const Json& model = member(root, "model");
  if (text_of(member(model, "type"), "WordPiece") != "WordPiece" || !model.is_object())
    return unsupported("tokenizer model", model);
  const Json& normalizer = member(root, "normalizer");
  if (text_of(member(normalizer, "type")) != "BertNormalizer") return unsupported("normalizer", normalizer);
  CONSORT_CHECK_OK(require(normalizer, "clean_text", true, true, where));
  CONSORT_CHECK_OK(require(normalizer, "handle_chinese_chars", true, true, where));
  CONSORT_CHECK_OK(require(normalizer, "lowercase", true, true, where));
  CONSORT_CHECK_OK(require(normalizer, "strip_accents", true, true, where));
  const Json& pre = member(root, "pre_tokenizer");
  if (text_of(member(pre, "type")) != "BertPreTokenizer") return unsupported("pre-tokenizer", pre);
  return {};
}

Status read_vocabulary(const Json& model, WordPieceVocabulary& out, const std::string& where) {
  const Json& vocabulary = member(model, "vocab");
  if (!vocabulary.is_object() || vocabulary.empty() || vocabulary.size() > kMaxTokens)
    return fail(ErrorKind::kCorrupt, "'model.vocab' is not a table of tokens", where);
  out.tokens.resize(vocabulary.size());
  std::vector<bool> seen(vocabulary.size(), false);
  for (const auto& [text, value] : vocabulary.items()) {
    const TokenId id = id_of(value, vocabulary.size());
    if (id < 0 || seen[static_cast<std::size_t>(id)])
      return fail(ErrorKind::kCorrupt, "token ids do not run from 0 without gaps", where);
    seen[static_cast<std::size_t>(id)] = true;
    out.tokens[static_cast<std::size_t>(id)] = text;
  }
  out.continuation = text_of(member(model, "continuing_subword_prefix"), "##");
  if (out.continuation.empty() || out.continuation.size() > 16)
    return fail(ErrorKind::kUnsupported,
                "'continuing_subword_prefix' of " + std::to_string(out.continuation.size()) + " bytes",
                where);
  const Json& limit = member(model, "max_input_chars_per_word");
  if (!limit.is_null()) {
    const TokenId characters = id_of(limit, 100'001);
    if (characters < 1) return fail(ErrorKind::kCorrupt, "'max_input_chars_per_word' is out of range", where);
    out.max_word_characters = static_cast<std::size_t>(characters);
  }
  return {};
}

Status read_added(const Json& root, WordPieceVocabulary& out, const std::string& where) {
  const Json& added = member(root, "added_tokens");
  if (added.is_null()) return {};
  if (!added.is_array() || added.size() > kMaxTokens)
    return fail(ErrorKind::kCorrupt, "'added_tokens' is not a list", where);
  std::vector<WordPieceVocabulary::Special> specials;
  std::size_t bytes = 0;
  for (const Json& entry : added) {
    const std::string text = text_of(member(entry, "content"));
    const TokenId id = id_of(member(entry, "id"), out.tokens.size() + added.size());
    bytes += text.size();
    if (text.empty() || id < 0 || text.size() > SpecialMatcher::kMaxTextBytes ||
        bytes > SpecialMatcher::kMaxTotalBytes)
      return fail(ErrorKind::kCorrupt, "an entry of 'added_tokens' has no valid content and id", where);
    const auto is_true = [&](const char* key) { return member(entry, key) == Json(true); };
    if (is_true("single_word") || (is_true("normalized") && !is_true("special")))
      return fail(ErrorKind::kUnsupported,
                  "added token '" + text + "' is matched by word or after normalisation", where);
    specials.push_back({text, id, is_true("special")});
  }
  std::sort(specials.begin(), specials.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const auto& special : specials) {  // those behind the vocabulary lengthen it
    const auto id = static_cast<std::size_t>(special.id);
    if (id > out.tokens.size()) return fail(ErrorKind::kCorrupt, "ids of added tokens have a gap", where);
    if (id == out.tokens.size()) out.tokens.push_back(special.text);
    if (out.tokens[id] != special.text)
      return fail(ErrorKind::kCorrupt, "added token '" + special.text + "' has the id of another token",
                  where);
  }
  out.specials = std::move(specials);
  return {};
}

Status find_roles(WordPieceVocabulary& out, const std::string& unknown, const std::string& where) {
  const auto find = [&](std::string_view text) {
    const auto found = std::find(out.tokens.begin(), out.tokens.end(), text);
    return found == out.tokens.end() ? TokenId{-1} : static_cast<TokenId>(found - out.tokens.begin());
  };
  out.unknown = find(unknown);
  out.cls = find("[CLS]");
  out.sep = find("[SEP]");
  if (out.unknown < 0 || out.cls < 0 || out.sep < 0)
    return fail(ErrorKind::kInvalid, "the vocabulary lacks " + unknown + ", [CLS] or [SEP]", where);
  return {};
}

// [CLS] ... [SEP] is what this class puts around a text, so the file must say the same.
Status check_post_processor(const Json& root, const std::string& where) {
  const Json& post = member(root, "post_processor");
  const std::string type = text_of(member(post, "type"));
  if (post.is_null() || type == "BertProcessing") return {};
  if (type != "TemplateProcessing")
    return fail(ErrorKind::kUnsupported, "unknown post-processor '" + type + "'", where);
  const Json& single = member(post, "single");
  const auto special = [&](std::size_t i) {
    return text_of(member(member(single[i], "SpecialToken"), "id"));
  };
  if (!single.is_array() || single.size() != 3 || special(0) != "[CLS]" || special(2) != "[SEP]" ||
      !member(single[1], "Sequence").is_object())
    return fail(ErrorKind::kUnsupported, "a post-processor other than [CLS] text [SEP]", where);
  return {};
}

Result<MappedFile> open_checked(const std::string& path) {
  CONSORT_TRY(file, MappedFile::open(path));
  if (file.size() > kMaxFileBytes)
    return fail(ErrorKind::kCorrupt, "a vocabulary file of " + std::to_string(file.size()) + " bytes", path);
  return file;
}

std::string_view view_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.size()};
}

}  // namespace

Result<WordPieceVocabulary> parse_tokenizer_json(std::string_view bytes, const std::string& where) {
  if (bytes.size() > kMaxFileBytes || too_deep(bytes))
    return fail(ErrorKind::kCorrupt, "the file is too large or nested too deeply", where);
  const Json root = Json::parse(bytes.begin(), bytes.end(), nullptr, false);
  if (!root.is_object()) return fail(ErrorKind::kCorrupt, "the file is not a JSON object", where);
  CONSORT_CHECK_OK(check_pipeline(root, where));
  WordPieceVocabulary out;
  const Json& model = member(root, "model");
  CONSORT_CHECK_OK(read_vocabulary(model, out, where));
  CONSORT_CHECK_OK(read_added(root, out, where));
  CONSORT_CHECK_OK(check_post_processor(root, where));
  CONSORT_CHECK_OK(find_roles(out, text_of(member(model, "unk_token"), "[UNK]"), where));
  return out;
}

Result<WordPieceVocabulary> parse_vocab_txt(std::string_view bytes, const std::string& where) {
  if (bytes.size() > kMaxFileBytes) return fail(ErrorKind::kCorrupt, "the file is too large", where);
  WordPieceVocabulary out;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\n', at), bytes.size());
    std::string_view line = bytes.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (out.tokens.size() >= kMaxTokens) return fail(ErrorKind::kCorrupt, "too many lines", where);
    out.tokens.emplace_back(line);
    at = end + 1;
  }
  CONSORT_CHECK_OK(find_roles(out, "[UNK]", where));
  for (std::size_t id = 0; id < out.tokens.size(); ++id)
    for (const std::string_view special : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
      if (out.tokens[id] == special) out.specials.push_back({out.tokens[id], static_cast<TokenId>(id), true});
  return out;
}

Result<std::unique_ptr<Tokenizer>> load_wordpiece(const std::string& folder) {
  const std::string json = folder + "/tokenizer.json", lines = folder + "/vocab.txt";
  std::error_code error;
  const bool has_json = std::filesystem::exists(json, error);
  if (!has_json && !std::filesystem::exists(lines, error))
    return fail(ErrorKind::kNotFound, "no tokenizer.json and no vocab.txt", folder, "pull the model again");
  CONSORT_TRY(file, open_checked(has_json ? json : lines));
  CONSORT_TRY(vocabulary,
              has_json ? parse_tokenizer_json(view_of(file), json) : parse_vocab_txt(view_of(file), lines));
  return std::make_unique<WordPiece>(vocabulary);
}

}  // namespace consort
