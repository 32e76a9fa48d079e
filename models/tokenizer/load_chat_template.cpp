#include "models/tokenizer/load_chat_template.h"

namespace consort {
namespace {

// The text of a special token, empty when the model has none.
std::string special_text(const Tokenizer& tokenizer, std::optional<TokenId> id) {
  if (!id) return {};
  const TokenId ids[] = {*id};
  return tokenizer.decode(ids, true).value_or(std::string());
}

}  // namespace

Result<std::optional<ChatTemplate>> load_chat_template(const WeightSource& source,
                                                       const Tokenizer& tokenizer) {
  const MetaValue* meta = source.meta("tokenizer.chat_template");
  if (meta == nullptr) return std::optional<ChatTemplate>();
  const std::string* text = std::get_if<std::string>(&meta->value);
  if (text == nullptr)
    return fail(ErrorKind::kCorrupt, "the chat template is not a text",
                source.location() + ", key tokenizer.chat_template", "convert the model again");
  auto parsed = ChatTemplate::parse(*text, special_text(tokenizer, tokenizer.bos()),
                                    special_text(tokenizer, tokenizer.eos()));
  if (!parsed) {
    parsed.error().where = source.location() + ", key tokenizer.chat_template, " + parsed.error().where;
    return forward_error(parsed);
  }
  return std::optional<ChatTemplate>(std::move(*parsed));
}

}  // namespace consort
