// consort render: JSON Lines of {messages, add_generation_prompt} to {prompt, ids} by the model's chat
// template.
#include "models/tokenizer/load_chat_template.h"
#include "protocols/cli/commands/commands.h"
#include "protocols/cli/commands/messages.h"
#include "protocols/cli/commands/model_files.h"

namespace consort {
namespace {

struct Flags {
  std::string model;
  bool parse_special = false;
};

Result<Value> render_line(const ChatTemplate& chat, const Tokenizer& tokenizer, const Flags& flags,
                          const Value& line) {
  if (!line.is_object()) return fail(ErrorKind::kInvalid, "expected {\"messages\": [...]}");
  bool generation = true;
  const Value* messages = nullptr;
  for (const auto& [key, value] : line.as_object()) {
    if (key == "messages") {
      messages = &value;
    } else if (key == "add_generation_prompt" && value.is_bool()) {
      generation = value.as_bool();
    } else {
      return fail(ErrorKind::kInvalid, "unknown key or wrong type: '" + key + "'", "",
                  "a line is {\"messages\": [...], \"add_generation_prompt\": true}");
    }
  }
  if (messages == nullptr) return fail(ErrorKind::kInvalid, "the line has no messages");
  CONSORT_TRY(list, read_messages(*messages, "/messages"));
  CONSORT_TRY(prompt, chat.render(list, generation));
  CONSORT_TRY(ids, chat.encode(tokenizer, list, generation, flags.parse_special));
  Value::Array out;
  for (TokenId id : ids) out.emplace_back(static_cast<std::int64_t>(id));
  return Value::object({{"prompt", std::move(prompt)}, {"ids", Value::array(std::move(out))}});
}

Result<int> run(CliContext& c, const Flags& flags) {
  CONSORT_TRY(files, open_text_model(c, flags.model));
  CONSORT_TRY(chat, load_chat_template(*files.source, *files.tokenizer));
  if (!chat)
    return fail(ErrorKind::kInvalid, "the model has no chat template", files.path,
                "use `generate --raw` or a workflow's `template: plain`");
  const ChatTemplate& tmpl = *chat;
  return json_lines(c, [&](const Value& line) { return render_line(tmpl, *files.tokenizer, flags, line); });
}

}  // namespace

void add_render(Command app, CliContext& c) {
  auto sub = app.add_subcommand("render", "JSON Lines: {messages, add_generation_prompt} to {prompt, ids}");
  auto flags = std::make_shared<Flags>();
  sub.add_option("--model", flags->model, "model id or path").required();
  sub.add_flag("--parse-special", flags->parse_special, "special-token text in contents becomes that token");
  sub.callback([&c, flags] { c.action = [&c, flags] { return run(c, *flags); }; });
}

}  // namespace consort
