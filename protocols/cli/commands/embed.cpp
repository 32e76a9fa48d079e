// consort embed: JSON Lines of {"text"} to {"embedding"}. Lines are read in blocks so that a batch is one step.
#include <CLI/CLI.hpp>
#include <iostream>

#include "protocols/cli/commands/commands.h"
#include "protocols/cli/engine.h"

namespace consort {
namespace {

constexpr std::size_t kBlockLines = 64;

struct Flags {
  std::string model, input_type;
};

boost::asio::awaitable<Result<ModelHandle>> acquire(Engine& engine, std::string model) {
  co_return co_await engine.models().acquire(std::move(model), engine.request());
}

Value embedding_value(const EmbedResult& r, std::size_t row) {
  const TensorView& view = r.embeddings.view;
  const float* values = view.as<float>() + row * static_cast<std::size_t>(view.cols());
  Value::Array out;
  for (std::int64_t i = 0; i < view.cols(); ++i) out.emplace_back(static_cast<double>(values[i]));
  Value::Object members{{"embedding", Value::array(std::move(out))}, {"tokens", r.tokens[row]}};
  if (r.truncated[row]) members.emplace_back("truncated", true);
  return Value::object(std::move(members));
}

// One line of input: its text, or what is wrong with it.
Result<std::string> line_text(const std::string& line, std::size_t number) {
  const std::string where = "line " + std::to_string(number);
  CONSORT_TRY(json, parse_json(line, where));
  if (!json.is_object()) return fail(ErrorKind::kInvalid, "expected {\"text\": string}", where);
  for (const auto& [key, value] : json.as_object()) {
    if (key == "text" && value.is_string()) continue;
    return fail(key == "text" ? ErrorKind::kInvalid : ErrorKind::kUnsupported,
                key == "text" ? "the text is not a string" : "this model takes no '" + key + "'", where,
                "give {\"text\": string}");
  }
  const Value* text = json.find("text");
  if (text == nullptr) return fail(ErrorKind::kInvalid, "expected {\"text\": string}", where);
  return text->as_string();
}

Status print_block(CliContext& c, Engine& engine, const ModelHandle& model, const Flags& f,
                   std::vector<Result<std::string>>& block, int& status) {
  EmbedRequest request;
  request.input_type = f.input_type;
  for (const auto& text : block)
    if (text) request.texts.push_back(*text);
  EmbedResult result;
  if (!request.texts.empty()) {
    CONSORT_TRY(r, engine.wait(model.embed(std::move(request), engine.request())));
    result = std::move(r);
  }
  std::size_t row = 0;
  for (const auto& text : block) {
    if (text) {
      c.console.json_line(embedding_value(result, row++));
    } else {
      c.console.json_line(Value::object({{"error", problem_value(text.error())}}));
      status = 3;
    }
  }
  block.clear();
  return {};
}

Result<int> run(CliContext& c, const Flags& f) {
  CONSORT_TRY(engine, Engine::start(c));
  CONSORT_TRY(model, engine->wait(acquire(*engine, f.model)));
  std::vector<Result<std::string>> block;
  std::string line;
  int status = 0;
  for (std::size_t number = 1; std::getline(std::cin, line); ++number) {
    if (c.stop.stop_requested()) return fail(ErrorKind::kCancelled, "interrupted", "standard input");
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    block.push_back(line_text(line, number));
    if (block.size() >= kBlockLines || std::cin.rdbuf()->in_avail() == 0)
      CONSORT_CHECK_OK(print_block(c, *engine, model, f, block, status));
  }
  CONSORT_CHECK_OK(print_block(c, *engine, model, f, block, status));
  return status;
}

}  // namespace

void add_embed(CLI::App& app, CliContext& c) {
  auto* sub = app.add_subcommand("embed", "JSON Lines: {\"text\"} to {\"embedding\"}");
  auto f = std::make_shared<Flags>();
  sub->add_option("--model", f->model, "model id or path")->required();
  sub->add_option("--input-type", f->input_type, "put the model's query or document prefix before the text")
      ->check(CLI::IsMember({"query", "document"}));
  sub->callback([&c, f] { c.action = [&c, f] { return run(c, *f); }; });
}

}  // namespace consort
