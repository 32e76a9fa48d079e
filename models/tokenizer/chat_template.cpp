#include "models/tokenizer/chat_template.h"

#include <algorithm>
#include <exception>

#include "models/tokenizer/jinja/renderer.h"

namespace consort {
namespace {

constexpr std::size_t kMaxTemplateBytes = 256u << 10;  // the longest known ones have about 20 KB

std::string place(int line, int column) {
  return "chat template, line " + std::to_string(line) + ", column " + std::to_string(column);
}

}  // namespace

struct ChatTemplate::Program {
  jinja::Body body;
  std::string bos, eos;
};

ChatTemplate::ChatTemplate(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::parse(std::string_view source, std::string bos_text,
                                         std::string eos_text) {
  if (source.size() > kMaxTemplateBytes)
    return fail(ErrorKind::kInvalid, "the chat template is longer than 256 KiB", "chat template");
  try {
    auto program = std::make_shared<Program>();
    program->body = jinja::parse_template(source);
    program->bos = std::move(bos_text);
    program->eos = std::move(eos_text);
    return ChatTemplate(std::move(program));
  } catch (const jinja::ParseError& e) {
    return fail(e.unsupported ? ErrorKind::kUnsupported : ErrorKind::kInvalid, e.what(),
                place(e.line, e.column),
                e.unsupported ? "use raw prompts or `template: plain` with this model"
                              : "the model's file is damaged");
  } catch (const std::exception& e) {
    return fail(ErrorKind::kInvalid, e.what(), "chat template");
  }
}

namespace {

Result<jinja::Text> render_marked(const jinja::Body& body, const std::string& bos, const std::string& eos,
                                  const std::vector<ChatMessage>& messages, bool add_generation_prompt) {
  jinja::List list;
  for (const ChatMessage& m : messages)
    list.push_back(
        jinja::make_dict({{"role", jinja::Text(m.role, true)}, {"content", jinja::Text(m.content, true)}}));
  jinja::Dict globals{{"messages", jinja::make_list(std::move(list))},
                      {"add_generation_prompt", add_generation_prompt},
                      {"bos_token", jinja::Text(bos)},
                      {"eos_token", jinja::Text(eos)}};
  try {
    return jinja::Renderer(std::move(globals)).render(body);
  } catch (const jinja::RenderLimit& e) {
    return fail(ErrorKind::kMemory, e.what(), "chat template", "shorten the conversation");
  } catch (const std::exception& e) {
    return fail(ErrorKind::kInvalid, e.what(), "chat template", "check the roles and their order");
  }
}

}  // namespace

Result<std::string> ChatTemplate::render(const std::vector<ChatMessage>& messages,
                                         bool add_generation_prompt) const {
  CONSORT_TRY(text,
              render_marked(program_->body, program_->bos, program_->eos, messages, add_generation_prompt));
  return std::move(text.text);
}

Result<std::vector<TokenId>> ChatTemplate::encode(const Tokenizer& tokenizer,
                                                  const std::vector<ChatMessage>& messages,
                                                  bool add_generation_prompt,
                                                  bool parse_special_in_content) const {
  CONSORT_TRY(text,
              render_marked(program_->body, program_->bos, program_->eos, messages, add_generation_prompt));
  if (parse_special_in_content)
    return tokenizer.encode(text.text, {.add_special = false, .parse_special = true});
  std::vector<ByteRange> literal;
  for (std::size_t at = text.mask.find('\1'); at != std::string::npos;) {
    const std::size_t end = std::min(text.mask.find('\0', at), text.mask.size());
    literal.push_back({at, end});
    at = text.mask.find('\1', end);
  }
  return tokenizer.encode_with_literals(text.text, literal);
}

}  // namespace consort
