// Builds a ByteBpe from the tokenizer.* keys of a GGUF file.
#include <limits>

#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/byte_bpe.h"
#include "models/tokenizer/utf8.h"

namespace consort {

namespace {

constexpr std::size_t kMaxMerges = 16u << 20;

// Token bytes, indexed by normal tokens only: special ones are found by the matcher.
TokenTable byte_table(const GgufVocabulary& vocabulary, const ByteAlphabet& alphabet) {
  TokenTable table;
  std::size_t bytes = 0;
  for (const std::string& token : *vocabulary.tokens) bytes += token.size();
  table.reserve(vocabulary.tokens->size(), bytes);
  std::vector<bool> indexed(vocabulary.tokens->size(), false);
  std::string decoded;
  for (std::size_t id = 0; id < vocabulary.tokens->size(); ++id) {
    const std::string& text = (*vocabulary.tokens)[id];
    const TokenType type = vocabulary.types[id];
    const bool ordinary =
        type == TokenType::kNormal || type == TokenType::kUnused || type == TokenType::kByte;
    if (ordinary && alphabet.decode(text, decoded)) {
      table.add(decoded);
      indexed[id] = !decoded.empty();
    } else {
      table.add(text);
    }
  }
  table.build(indexed);
  return table;
}

Result<MergeTable> merge_table(const WeightSource& source, const GgufVocabulary& vocabulary,
                               const TokenTable& table, const ByteAlphabet& alphabet) {
  const std::string where = source.location() + ", key tokenizer.ggml.merges";
  if (vocabulary.merges->size() > kMaxMerges)
    return fail(ErrorKind::kCorrupt, std::to_string(vocabulary.merges->size()) + " merges", where);
  MergeTable merges;
  merges.reserve(vocabulary.merges->size());
  std::string left, right;
  for (std::size_t rank = 0; rank < vocabulary.merges->size(); ++rank) {
    const std::string_view line = (*vocabulary.merges)[rank];
    const std::size_t space = line.find(' ', 1);  // a lone space may be the left half
    if (space == std::string_view::npos || space + 1 == line.size())
      return fail(ErrorKind::kCorrupt, "merge " + std::to_string(rank) + " is not a pair", where);
    if (!alphabet.decode(line.substr(0, space), left) || !alphabet.decode(line.substr(space + 1), right))
      return fail(ErrorKind::kCorrupt,
                  "merge " + std::to_string(rank) + " has a character outside the byte alphabet", where);
    const TokenId left_id = table.find(left), right_id = table.find(right),
                  result = table.find(left += right);
    // A merge of or into a text without a token can never be used.
    if (left_id >= 0 && right_id >= 0 && result >= 0)
      merges.add(left_id, right_id, static_cast<std::uint32_t>(rank), result);
  }
  return merges;
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> load_byte_bpe(const WeightSource& source,
                                                 const GgufVocabulary& vocabulary) {
  const std::optional<PreTokenizer> pre = pre_tokenizer_named(vocabulary.pre);
  if (!pre)
    return fail(ErrorKind::kUnsupported,
                vocabulary.pre.empty() ? "the file names no pre-tokenizer"
                                       : "unknown pre-tokenizer '" + vocabulary.pre + "'",
                source.location() + ", key tokenizer.ggml.pre",
                "supported: gpt-2, smollm, llama-bpe, qwen2; a wrong one would give wrong tokens silently");
  const ByteAlphabet alphabet;
  TokenTable table = byte_table(vocabulary, alphabet);
  CONSORT_TRY(merges, merge_table(source, vocabulary, table, alphabet));
  CONSORT_TRY(specials, vocabulary.specials(source));
  TokenRoles roles = vocabulary.roles;
  roles.adds_bos = vocabulary.add_bos.value_or(*pre == PreTokenizer::kLlamaBpe);
  roles.adds_eos = vocabulary.add_eos.value_or(false);
  return std::make_unique<ByteBpe>(
      ByteBpe::Parts{std::move(table), vocabulary.types, SpecialMatcher(specials), std::move(roles),
                     std::move(merges), vocabulary.pre, *pre, *pre == PreTokenizer::kLlamaBpe});
}

}  // namespace consort
