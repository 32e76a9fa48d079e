// Damaged vocabularies, tokenizer.json and chat templates end in an error or in something that works.
#include <gtest/gtest.h>

#include "models/tokenizer/chat_template.h"
#include "models/tokenizer/testing/memory_source.h"
#include "models/tokenizer/wordpiece.h"
#include "tests/fuzz/mutate.h"

namespace consort {
namespace {

using testing::MemorySource;
using testing::Mutator;

constexpr int kMutants = 2500;
const std::string kText = "ab abc\xE2\x96\x81 \xC3\xA9\xFF<s>@@\n\n\n  12 it's";

void exercise(const Tokenizer& t) {
  for (const bool parse : {false, true}) {
    const auto ids = t.encode(kText, {true, parse});
    for (const TokenId id : ids) {
      ASSERT_GE(id, 0);
      ASSERT_LT(id, t.vocab_size());
      (void)t.token_bytes(id);
    }
    ASSERT_TRUE(t.decode(ids, true));
  }
}

template <typename Element>
void mutate_array(MemorySource& source, const char* key, Mutator& random) {
  const auto found = source.values.find(std::string("tokenizer.ggml.") + key);
  if (found == source.values.end()) return;
  auto& array = std::get<std::vector<Element>>(std::get<MetaValue::Array>(found->second.value));
  for (std::size_t n = 1 + random.below(3); n > 0 && !array.empty(); --n) {
    const std::size_t at = random.below(array.size());
    switch (random.below(5)) {
      case 0:
        array.erase(array.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      case 1:
        array.push_back(array[at]);
        break;
      case 2:
        array[at] = array[random.below(array.size())];
        break;
      default:
        if constexpr (std::is_same_v<Element, std::string>)
          array[at] = random.mutate(array[at], 8);
        else
          array[at] = static_cast<Element>(static_cast<std::int64_t>(random.below(9)) - 2);
    }
  }
}

TEST(TokenizerFuzz, GgufTables) {
  Mutator random(11);
  int loaded = 0, refused = 0;
  for (int round = 0; round < kMutants; ++round) {
    MemorySource source =
        round % 2 ? testing::tiny_bpe(round % 4 == 1 ? "llama-bpe" : "smollm") : testing::tiny_spm();
    switch (random.below(5)) {
      case 0:
        mutate_array<std::string>(source, "tokens", random);
        break;
      case 1:
        mutate_array<std::string>(source, "merges", random);
        break;
      case 2:
        mutate_array<std::int64_t>(source, "token_type", random);
        break;
      case 3:
        mutate_array<double>(source, "scores", random);
        break;
      default:
        source.set(random.below(2) ? "bos_token_id" : "unknown_token_id",
                   static_cast<std::int64_t>(random.below(400)) - 50);
    }
    if (random.below(8) == 0)
      source.values.erase(
          std::next(source.values.begin(), static_cast<std::ptrdiff_t>(random.below(source.values.size()))));
    const auto tokenizer = load_tokenizer(source);
    tokenizer ? ++loaded : ++refused;
    if (tokenizer) exercise(**tokenizer);
  }
  EXPECT_GT(loaded, kMutants / 10);
  EXPECT_GT(refused, kMutants / 20);
}

TEST(TokenizerFuzz, TokenizerJson) {
  const std::string good =
      R"({"version":"1.0","truncation":null,"added_tokens":[{"id":0,"content":"[UNK]","special":true},{"id":1,)"
      R"("content":"[CLS]","special":true},{"id":2,"content":"[SEP]","special":true,"normalized":false}],)"
      R"("normalizer":{"type":"BertNormalizer","clean_text":true,"strip_accents":null,"lowercase":true},)"
      R"("pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"TemplateProcessing","single":)"
      R"([{"SpecialToken":{"id":"[CLS]"}},{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"[SEP]"}}]},"model":)"
      R"({"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,)"
      R"("vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3,"##b":4,"it":5,"'":6}}})";
  Mutator random(12);
  int loaded = 0;
  for (int round = 0; round < kMutants; ++round) {
    const auto parsed = parse_tokenizer_json(random.mutate(good, good.size()), "tokenizer.json");
    if (!parsed) continue;
    ++loaded;
    exercise(WordPiece(*parsed));
  }
  EXPECT_GT(loaded, 20);
  const std::string lines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nab\n##c\nit\n";
  for (int round = 0; round < kMutants; ++round)
    if (const auto parsed = parse_vocab_txt(random.mutate(lines, lines.size()), "vocab.txt"))
      exercise(WordPiece(*parsed));
}

TEST(TokenizerFuzz, ChatTemplates) {
  const std::string good =
      "{%- macro f(a, b='x') %}[{{ a|trim }}{{ b }}]{% endmacro %}{% set ns = namespace(n=0) %}{# note #}\n"
      "{%- for m in messages[0:] if m.role != 'z' %}{% if loop.first and not x is defined %}{{ bos_token }}"
      "{% elif m['content'] in ['a', \"b\"] %}{{ m|tojson(indent=2) }}{% else %}{{ "
      "m.content.split('\\n')[-1] ~ 1 }}"
      "{% endif %}{% set ns.n = ns.n + 2 * 3 - 1 // 2 %}{{ f(m.role, b=m.content[::-1]) }}{% if ns.n > 40 "
      "%}{% break %}"
      "{% endif %}{% endfor %}{{ 'y' if add_generation_prompt else {'k': [1, none]}['k'] }}{{ "
      "range(3)|join(',') }}";
  const std::vector<ChatMessage> messages = {
      {"user", "hi\nthere"}, {"assistant", "a"}, {"z", "q"}, {"user", "\xFF\xC3"}};
  ASSERT_TRUE(ChatTemplate::parse(good, "<s>", "</s>")->render(messages, true));
  Mutator random(13);
  int parsed = 0, rendered = 0;
  for (int round = 0; round < 2 * kMutants; ++round) {
    const auto chat = ChatTemplate::parse(random.mutate(good, good.size()), "<s>", "</s>");
    if (!chat) continue;
    ++parsed;
    rendered += chat->render(messages, round % 2 == 0).has_value();
  }
  EXPECT_GT(parsed, 200);
  EXPECT_GT(rendered, 100);
}

}  // namespace
}  // namespace consort
