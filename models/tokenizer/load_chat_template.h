// The chat template that a model's own files carry.
#pragma once

#include <optional>

#include "models/tokenizer/chat_template.h"

namespace consort {

// GGUF: key tokenizer.chat_template. Hugging Face folder: tokenizer_config.json's chat_template as the source
// exposes it under the same key. nullopt when the model has none (a base model). Errors: those of
// ChatTemplate::parse, with the file's name.
Result<std::optional<ChatTemplate>> load_chat_template(const WeightSource& source,
                                                       const Tokenizer& tokenizer);

}  // namespace consort
