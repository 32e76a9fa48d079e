// Builds a SentencePieceBpe from the tokenizer.* keys of a GGUF file.
#include <charconv>

#include "models/tokenizer/sentencepiece_bpe.h"

namespace consort {

namespace {

constexpr std::string_view kSpaceStandIn = "\xE2\x96\x81";  // U+2581

// The byte of a "<0x41>" token, or -1.
int byte_of(std::string_view text) {
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return -1;
  int value = -1;
  const auto parsed = std::from_chars(text.data() + 3, text.data() + 5, value, 16);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + 5 ? value : -1;
}

// `text` with its stand-ins as spaces.
void spaced(std::string_view text, std::string& out) {
  out.clear();
  for (std::size_t hit = text.find(kSpaceStandIn); hit != std::string_view::npos;
       hit = text.find(kSpaceStandIn)) {
    out.append(text.substr(0, hit)).push_back(' ');
    text.remove_prefix(hit + kSpaceStandIn.size());
  }
  out.append(text);
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> load_sentencepiece_bpe(const WeightSource& source,
                                                          const GgufVocabulary& vocabulary) {
  const std::size_t count = vocabulary.tokens->size();
  TokenTable table;
  std::size_t bytes = 0;
  for (const std::string& token : *vocabulary.tokens) bytes += token.size();
  table.reserve(count, bytes);
  std::vector<bool> indexed(count, false);
  std::array<TokenId, 256> byte_ids;
  byte_ids.fill(-1);
  std::string text;
  for (std::size_t id = 0; id < count; ++id) {
    const std::string& token = (*vocabulary.tokens)[id];
    const TokenType type = vocabulary.types[id];
    if (type == TokenType::kByte) {
      const int byte = byte_of(token);
      if (byte < 0)
        return fail(ErrorKind::kCorrupt, "byte token " + std::to_string(id) + " is not of the form <0x41>",
                    source.location() + ", key tokenizer.ggml.tokens");
      byte_ids[static_cast<std::size_t>(byte)] = static_cast<TokenId>(id);
      const char raw = static_cast<char>(byte);
      table.add({&raw, 1});
    } else if (type == TokenType::kNormal || type == TokenType::kUnused) {
      spaced(token, text);
      table.add(text);
      indexed[id] = !text.empty();
    } else {
      table.add(token);
    }
  }
  table.build(indexed);
  CONSORT_TRY(specials, vocabulary.specials(source));
  TokenRoles roles = vocabulary.roles;
  roles.adds_bos = vocabulary.add_bos.value_or(true);
  roles.adds_eos = vocabulary.add_eos.value_or(false);
  return std::make_unique<SentencePieceBpe>(
      SentencePieceBpe::Parts{std::move(table), vocabulary.types, SpecialMatcher(specials), std::move(roles),
                              vocabulary.scores, byte_ids, vocabulary.add_space_prefix.value_or(true)});
}

}  // namespace consort
