// consort rerank: JSON Lines of {"query", "passage"} to {"score"}, the reranker's raw logit.
#include "protocols/cli/commands/commands.h"
#include "protocols/cli/commands/item_lines.h"
#include "protocols/cli/engine.h"

namespace consort {
namespace {

Result<TextPair> read_pair(const Value& line, const std::string& where) {
  const Value *query = line.find("query"), *passage = line.find("passage");
  if (line.size() != 2 || query == nullptr || passage == nullptr || !query->is_string() ||
      !passage->is_string())
    return fail(ErrorKind::kInvalid, "expected {\"query\": string, \"passage\": string}", where);
  return TextPair{query->as_string(), passage->as_string()};
}

Result<int> run(CliContext& c, const std::string& id) {
  CONSORT_TRY(engine, Engine::start(c));
  CONSORT_TRY(model, engine->acquire(id));
  return answer_lines<TextPair>(c, read_pair, [&](std::vector<TextPair> pairs) -> Result<ItemAnswers> {
    CONSORT_TRY(result, engine->wait(model.rerank({std::move(pairs)}, engine->request())));
    ItemAnswers answers;
    for (std::size_t i = 0; i < result.scores.size(); ++i) {
      if (const Error* error = result.error_of(i)) {
        answers.push_back(tl::unexpected<Error>(*error));
        continue;
      }
      Value::Object line{{"score", result.scores[i]}, {"tokens", result.tokens[i]}};
      if (result.truncated[i]) line.emplace_back("truncated", true);
      answers.push_back(Value::object(std::move(line)));
    }
    return answers;
  });
}

}  // namespace

void add_rerank(Command app, CliContext& c) {
  auto sub = app.add_subcommand("rerank", "JSON Lines: {\"query\", \"passage\"} to {\"score\"}");
  auto model = std::make_shared<std::string>();
  sub.add_option("--model", *model, "model id or path").required();
  sub.callback([&c, model] { c.action = [&c, model] { return run(c, *model); }; });
}

}  // namespace consort
