// From a request's texts to token ids, by the model's own tokenizer and chat template. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "models/tokenizer/chat_template.h"
#include "models/tokenizer/tokenizer.h"
#include "scheduler/host/requests.h"

namespace consort {

// Chat contents and plain templates take special-token text literally; `text` parses it when the request says
// so and gets what the model's file puts around a text. Errors: kInvalid for messages to a model without a
// chat template (unless plain_template), and those of ChatTemplate::encode.
Result<std::vector<TokenId>> prompt_tokens(const Tokenizer& tokenizer,
                                           const std::optional<ChatTemplate>& chat, const Prompt& prompt);

// An encoder's input: prefix and text with the special tokens around it, cut to `max_tokens` so that the last
// special token stays. Returns the ids and whether the text was cut.
struct EncoderInput {
  std::vector<TokenId> ids;
  bool truncated = false;
};
EncoderInput encoder_input(const Tokenizer& tokenizer, std::string_view prefix, std::string_view text,
                           int max_tokens);

}  // namespace consort
