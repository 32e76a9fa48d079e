// ChatTemplate: renders a list of messages with the model's own Jinja text by a small interpreter. What the
// interpreter does not know is an error when the template is parsed, never fluent garbage later. Immutable
// after parsing; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "models/tokenizer/tokenizer.h"

namespace consort {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant", or whatever the template takes
  std::string content;
};

class ChatTemplate {
 public:
  // Settings as in the reference: trim_blocks, lstrip_blocks. Errors: kUnsupported names the construct and
  // its line and column; kInvalid for syntax errors.
  static Result<ChatTemplate> parse(std::string_view jinja, std::string bos_text, std::string eos_text);
  // Errors: kInvalid for what the template raises (raise_exception) and type errors; kMemory / kTimeout when
  // its step or output limits are passed.
  Result<std::string> render(const std::vector<ChatMessage>& messages, bool add_generation_prompt) const;

  // Ids of a conversation in which message contents cannot inject special tokens: the template's own text is
  // tokenised with specials parsed, the contents without. `parse_special_in_content` reproduces the
  // reference.
  Result<std::vector<TokenId>> encode(const Tokenizer& tokenizer, const std::vector<ChatMessage>& messages,
                                      bool add_generation_prompt,
                                      bool parse_special_in_content = false) const;

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

 private:
  struct Program;
  explicit ChatTemplate(std::shared_ptr<const Program> program);
  std::shared_ptr<const Program> program_;
};

}  // namespace consort
