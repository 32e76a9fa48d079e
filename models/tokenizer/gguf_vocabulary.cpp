#include "models/tokenizer/gguf_vocabulary.h"

#include <algorithm>
#include <array>
#include <limits>

namespace consort {

namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";
constexpr std::size_t kMaxTokens = 16u << 20;    // 64 times the largest vocabulary in use (Gemma, 262,144)
constexpr std::size_t kMaxTextBytes = 1u << 30;  // of all tokens together

// Texts by which model files mark the end of a turn or of the text, whatever their eos key says.
constexpr std::array<std::string_view, 12> kEndTexts = {
    "<|eot_id|>",      "<|im_end|>", "<|end|>", "<end_of_turn>",
    "<|endoftext|>",   "<|eom_id|>", "<EOT>",   "<|end_of_text|>",
    "<|end_of_turn|>", "<eos>",      "</s>",    "<end_of_utterance>"};

std::string where(const WeightSource& source, std::string_view key) {
  return source.location() + ", key " + std::string(kPrefix) + std::string(key);
}

const MetaValue* look_up(const WeightSource& source, std::string_view key) {
  return source.meta(std::string(kPrefix) + std::string(key));
}

template <typename T>
const T* look_up_as(const WeightSource& source, std::string_view key) {
  const MetaValue* value = look_up(source, key);
  return value == nullptr ? nullptr : std::get_if<T>(&value->value);
}

template <typename Element>
Result<const std::vector<Element>*> array(const WeightSource& source, std::string_view key, bool needed) {
  const MetaValue* value = look_up(source, key);
  if (value == nullptr) {
    if (!needed) return nullptr;
    return fail(ErrorKind::kInvalid, "the file has no vocabulary", where(source, key),
                "convert the model again with its tokenizer");
  }
  const auto* any = std::get_if<MetaValue::Array>(&value->value);
  const auto* wanted = any == nullptr ? nullptr : std::get_if<std::vector<Element>>(any);
  if (wanted == nullptr)
    return fail(ErrorKind::kInvalid, "the vocabulary table has the wrong element type", where(source, key));
  return wanted;
}

Status read_tokens(const WeightSource& source, GgufVocabulary& out) {
  CONSORT_TRY(tokens, array<std::string>(source, "tokens", true));
  if (tokens->empty() || tokens->size() > kMaxTokens)
    return fail(ErrorKind::kCorrupt, "a vocabulary of " + std::to_string(tokens->size()) + " tokens",
                where(source, "tokens"));
  std::size_t bytes = 0;
  for (const std::string& token : *tokens) bytes += token.size();
  if (bytes > kMaxTextBytes)
    return fail(ErrorKind::kCorrupt, "token texts of " + std::to_string(bytes) + " bytes",
                where(source, "tokens"));
  out.tokens = tokens;
  return {};
}

Status read_types(const WeightSource& source, GgufVocabulary& out) {
  CONSORT_TRY(types, array<std::int64_t>(source, "token_type", false));
  out.types.assign(out.tokens->size(), TokenType::kNormal);
  if (types == nullptr) return {};
  if (types->size() != out.tokens->size())
    return fail(ErrorKind::kCorrupt, "token types and tokens differ in number", where(source, "token_type"));
  for (std::size_t i = 0; i < types->size(); ++i) {
    const std::int64_t type = (*types)[i];
    if (type < 1 || type > 6)
      return fail(ErrorKind::kCorrupt, "unknown token type " + std::to_string(type),
                  where(source, "token_type"));
    out.types[i] = static_cast<TokenType>(type);
  }
  return {};
}

Status read_scores(const WeightSource& source, GgufVocabulary& out) {
  CONSORT_TRY(scores, array<double>(source, "scores", true));
  if (scores->size() != out.tokens->size())
    return fail(ErrorKind::kCorrupt, "scores and tokens differ in number", where(source, "scores"));
  out.scores.assign(scores->begin(), scores->end());
  if (std::any_of(out.scores.begin(), out.scores.end(), [](float s) { return s != s; }))
    return fail(ErrorKind::kCorrupt, "a token's score is not a number", where(source, "scores"));
  return {};
}

// `fallback`: what the format assumes when the key is absent.
Result<std::optional<TokenId>> role(const WeightSource& source, const GgufVocabulary& vocabulary,
                                    std::string_view key, std::optional<TokenId> fallback) {
  const MetaValue* value = look_up(source, key);
  const auto size = static_cast<std::int64_t>(vocabulary.tokens->size());
  if (value == nullptr) return fallback && *fallback < size ? fallback : std::nullopt;
  const auto* id = std::get_if<std::int64_t>(&value->value);
  if (id == nullptr) return fail(ErrorKind::kInvalid, "a token id must be an integer", where(source, key));
  if (*id == std::numeric_limits<std::uint32_t>::max() || *id == -1) return std::nullopt;  // "none"
  if (*id < 0 || *id >= size)
    return fail(ErrorKind::kCorrupt, "token id " + std::to_string(*id) + " is outside the vocabulary",
                where(source, key));
  return static_cast<TokenId>(*id);
}

Status read_roles(const WeightSource& source, GgufVocabulary& out) {
  const bool spm = out.model == "llama";
  const auto if_spm = [&](TokenId id) { return spm ? std::optional<TokenId>(id) : std::nullopt; };
  CONSORT_TRY(bos, role(source, out, "bos_token_id", if_spm(1)));
  CONSORT_TRY(eos, role(source, out, "eos_token_id", if_spm(2)));
  CONSORT_TRY(unknown, role(source, out, "unknown_token_id", if_spm(0)));
  CONSORT_TRY(eot, role(source, out, "eot_token_id", std::nullopt));
  CONSORT_TRY(eom, role(source, out, "eom_token_id", std::nullopt));
  out.roles.bos = bos;
  out.roles.eos = eos;
  out.roles.unknown = unknown;
  std::vector<TokenId>& end = out.roles.end_of_generation;
  for (const auto& id : {eos, eot, eom})
    if (id) end.push_back(*id);
  for (std::size_t i = 0; i < out.tokens->size(); ++i)
    if ((out.types[i] == TokenType::kControl || out.types[i] == TokenType::kUserDefined) &&
        std::find(kEndTexts.begin(), kEndTexts.end(), (*out.tokens)[i]) != kEndTexts.end())
      end.push_back(static_cast<TokenId>(i));
  std::sort(end.begin(), end.end());
  end.erase(std::unique(end.begin(), end.end()), end.end());
  return {};
}

Result<std::optional<bool>> flag(const WeightSource& source, std::string_view key) {
  const MetaValue* value = look_up(source, key);
  if (value == nullptr) return std::nullopt;
  if (const bool* set = std::get_if<bool>(&value->value)) return *set;
  return fail(ErrorKind::kInvalid, "the key must be true or false", where(source, key));
}

}  // namespace

Result<GgufVocabulary> GgufVocabulary::read(const WeightSource& source) {
  GgufVocabulary out;
  const auto* model = look_up_as<std::string>(source, "model");
  if (model == nullptr)
    return fail(ErrorKind::kInvalid, "the file names no tokenizer", where(source, "model"));
  out.model = *model;
  if (const auto* pre = look_up_as<std::string>(source, "pre")) out.pre = *pre;
  CONSORT_CHECK_OK(read_tokens(source, out));
  CONSORT_CHECK_OK(read_types(source, out));
  if (out.model == "llama") CONSORT_CHECK_OK(read_scores(source, out));
  if (out.model == "gpt2") {
    CONSORT_TRY(merges, array<std::string>(source, "merges", true));
    out.merges = merges;
  }
  CONSORT_CHECK_OK(read_roles(source, out));
  CONSORT_TRY(add_bos, flag(source, "add_bos_token"));
  CONSORT_TRY(add_eos, flag(source, "add_eos_token"));
  CONSORT_TRY(add_space_prefix, flag(source, "add_space_prefix"));
  out.add_bos = add_bos;
  out.add_eos = add_eos;
  out.add_space_prefix = add_space_prefix;
  return out;
}

Result<std::vector<SpecialMatcher::Entry>> GgufVocabulary::specials(const WeightSource& source) const {
  std::vector<SpecialMatcher::Entry> entries;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < tokens->size(); ++i) {
    const TokenType type = types[i];
    if (type != TokenType::kControl && type != TokenType::kUnknown && type != TokenType::kUserDefined)
      continue;
    const std::string& text = (*tokens)[i];
    bytes += text.size();
    if (text.size() > SpecialMatcher::kMaxTextBytes || bytes > SpecialMatcher::kMaxTotalBytes)
      return fail(ErrorKind::kCorrupt, "special token " + std::to_string(i) + " is too long",
                  where(source, "tokens"));
    entries.push_back({text, static_cast<TokenId>(i), type != TokenType::kUserDefined});
  }
  return entries;
}

}  // namespace consort
