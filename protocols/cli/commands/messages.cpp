#include "protocols/cli/commands/messages.h"

namespace consort {

Result<std::vector<ChatMessage>> read_messages(const Value& v, const std::string& where) {
  if (!v.is_array())
    return fail(ErrorKind::kInvalid, "expected a list of messages", where,
                "write [{\"role\": \"user\", \"content\": \"...\"}]");
  std::vector<ChatMessage> messages;
  for (const Value& m : v.as_array()) {
    const std::string at = where + "/" + std::to_string(messages.size());
    if (!m.is_object()) return fail(ErrorKind::kInvalid, "expected a message object", at);
    ChatMessage message;
    for (const auto& [key, value] : m.as_object()) {
      if (key != "role" && key != "content")
        return fail(ErrorKind::kInvalid, "unknown key '" + key + "'", at);
      if (!value.is_string()) return fail(ErrorKind::kInvalid, "expected a string", at + "/" + key);
      (key == "role" ? message.role : message.content) = value.as_string();
    }
    if (message.role.empty()) return fail(ErrorKind::kInvalid, "a message needs a role", at);
    messages.push_back(std::move(message));
  }
  return messages;
}

}  // namespace consort
