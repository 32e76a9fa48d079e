// Chat messages from JSON.
#pragma once

#include <vector>

#include "models/tokenizer/chat_template.h"
#include "scheduler/value/value.h"

namespace consort {

// [{"role", "content"}, ...]. Errors: kInvalid with a JSON Pointer below `where`.
Result<std::vector<ChatMessage>> read_messages(const Value& v, const std::string& where);

}  // namespace consort
