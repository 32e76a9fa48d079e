#include "scheduler/host/prompt_tokens.h"

namespace consort {

Result<std::vector<TokenId>> prompt_tokens(const Tokenizer& tokenizer,
                                           const std::optional<ChatTemplate>& chat, const Prompt& prompt) {
  if (!prompt.token_ids.empty()) return prompt.token_ids;
  if (prompt.text)
    return tokenizer.encode(*prompt.text, {.add_special = true, .parse_special = prompt.parse_special});
  if (chat) return chat->encode(tokenizer, prompt.messages, true);
  if (!prompt.plain_template)
    return fail(ErrorKind::kInvalid, "the model has no chat template, so it takes no messages", {},
                "give a text prompt, or ask for the plain template");
  std::string joined;
  for (const ChatMessage& m : prompt.messages) {
    if (!joined.empty()) joined += "\n\n";
    joined += m.content;
  }
  joined += '\n';
  return tokenizer.encode(joined, {.add_special = true, .parse_special = false});
}

}  // namespace consort
