// consort tokenize: JSON Lines of {"text"} to {"ids"}, or back with --detokenize. Needs no engine.
#include "protocols/cli/commands/commands.h"
#include "protocols/cli/commands/model_files.h"

namespace consort {
namespace {

struct Flags {
  std::string model;
  bool add_bos = false, parse_special = false, detokenize = false;
};

Value ids_value(const std::vector<TokenId>& ids) {
  Value::Array out;
  out.reserve(ids.size());
  for (TokenId id : ids) out.emplace_back(static_cast<std::int64_t>(id));
  return Value::array(std::move(out));
}

Result<Value> detokenize(const Tokenizer& tokenizer, const Value& line) {
  const Value* ids = line.find("ids");
  if (ids == nullptr || !ids->is_array())
    return fail(ErrorKind::kInvalid, "expected {\"ids\": [integers]}", "", "give one object a line");
  std::vector<TokenId> tokens;
  for (const Value& v : ids->as_array()) {
    if (!v.is_integer() || v.as_integer() < 0 || v.as_integer() >= tokenizer.vocab_size())
      return fail(ErrorKind::kInvalid, "not a token id of this model: " + write_json(v), "",
                  "ids are integers from 0 to " + std::to_string(tokenizer.vocab_size() - 1));
    tokens.push_back(static_cast<TokenId>(v.as_integer()));
  }
  CONSORT_TRY(text, tokenizer.decode(tokens, true));
  Value::Object members;
  append_text(members, text);
  return Value::object(std::move(members));
}

Result<Value> tokenize(const Tokenizer& tokenizer, const Flags& flags, const Value& line) {
  const Value* text = line.find("text");
  if (text == nullptr || !text->is_string())
    return fail(ErrorKind::kInvalid, "expected {\"text\": string}", "", "give one object a line");
  return Value::object(
      {{"ids", ids_value(tokenizer.encode(text->as_string(), {flags.add_bos, flags.parse_special}))}});
}

Result<int> run(CliContext& c, const Flags& flags) {
  CONSORT_TRY(files, open_text_model(c, flags.model));
  const Tokenizer& tokenizer = *files.tokenizer;
  return json_lines(c, [&](const Value& line) {
    return flags.detokenize ? detokenize(tokenizer, line) : tokenize(tokenizer, flags, line);
  });
}

}  // namespace

void add_tokenize(Command app, CliContext& c) {
  auto sub = app.add_subcommand("tokenize", "JSON Lines: {\"text\"} to {\"ids\"}, or back with --detokenize");
  auto flags = std::make_shared<Flags>();
  sub.add_option("--model", flags->model, "model id or path").required();
  sub.add_flag("--add-bos", flags->add_bos, "add what the model's file puts around a text");
  sub.add_flag("--parse-special", flags->parse_special, "special-token text becomes that token");
  sub.add_flag("--detokenize", flags->detokenize, "{\"ids\"} to {\"text\"}");
  sub.callback([&c, flags] { c.action = [&c, flags] { return run(c, *flags); }; });
}

}  // namespace consort
