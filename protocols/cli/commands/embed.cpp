// consort embed: JSON Lines of texts, pictures, molecules or graphs to embeddings.
#include "protocols/cli/commands/commands.h"
#include "protocols/cli/commands/item_input.h"
#include "protocols/cli/commands/item_lines.h"
#include "protocols/cli/engine.h"

namespace consort {
namespace {

struct Flags {
  std::string model, input_type, level;
};

Value row_value(const TensorView& rows, std::int64_t row) {
  const float* values = rows.as<float>() + row * rows.cols();
  Value::Array out;
  out.reserve(static_cast<std::size_t>(rows.cols()));
  for (std::int64_t i = 0; i < rows.cols(); ++i) out.emplace_back(static_cast<double>(values[i]));
  return Value::array(std::move(out));
}

Result<Value> line_value(const EmbedResult& result, std::size_t item) {
  if (const Error* error = result.error_of(item)) return tl::unexpected<Error>(*error);
  const TensorView rows = result.item(item);
  Value::Object line;
  if (result.level == EmbeddingLevel::kItem) {
    line.emplace_back("embedding", row_value(rows, 0));
  } else {
    Value::Array all;
    for (std::int64_t i = 0; i < rows.rows(); ++i) all.push_back(row_value(rows, i));
    line.emplace_back("embeddings", Value::array(std::move(all)));
  }
  line.emplace_back("tokens", result.tokens[item]);
  if (result.truncated[item]) line.emplace_back("truncated", true);
  return Value::object(std::move(line));
}

Result<int> run(CliContext& c, const Flags& f) {
  CONSORT_TRY(engine, Engine::start(c));
  CONSORT_TRY(model, engine->acquire(f.model));
  return answer_lines<ModelInput>(c, read_item, [&](std::vector<ModelInput> items) -> Result<ItemAnswers> {
    EmbedRequest request;
    request.inputs = std::move(items);
    request.input_type = f.input_type;
    if (!f.level.empty()) request.level = f.level == "item" ? EmbeddingLevel::kItem : EmbeddingLevel::kPart;
    CONSORT_TRY(result, engine->wait(model.embed(std::move(request), engine->request())));
    ItemAnswers answers;
    for (std::size_t i = 0; i < result.items(); ++i) answers.push_back(line_value(result, i));
    return answers;
  });
}

}  // namespace

void add_embed(Command app, CliContext& c) {
  auto sub =
      app.add_subcommand("embed",
                         "JSON Lines: {\"text\"}, {\"image\": path}, {\"file\": path}, {\"smiles\"} or "
                         "{\"graph\": {...}} to {\"embedding\"} or {\"embeddings\"}");
  auto f = std::make_shared<Flags>();
  sub.add_option("--model", f->model, "model id or path").required();
  sub.add_option("--input-type", f->input_type, "put the model's query or document prefix before the text")
      .one_of({"query", "document"});
  sub.add_option("--level", f->level,
                 "one embedding an item, or one a part (token, node); default: the model's")
      .one_of({"item", "part"});
  sub.callback([&c, f] { c.action = [&c, f] { return run(c, *f); }; });
}

}  // namespace consort
