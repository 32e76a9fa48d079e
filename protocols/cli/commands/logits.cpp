// consort logits: raw logits of given token ids, as a safetensors file.
#include "models/formats/safetensors_writer.h"
#include "protocols/cli/commands/commands.h"
#include "protocols/cli/engine.h"

namespace consort {
namespace {

struct Flags {
  std::string model, ids_file, out;
  int top = 32;
};

Result<std::vector<std::vector<TokenId>>> read_ids(const std::string& file) {
  CONSORT_TRY(text, read_file(file));
  CONSORT_TRY(json, parse_json(text, file));
  const auto wrong = [&](std::size_t i) {
    return fail(ErrorKind::kInvalid, "expected [[id, ...], ...]", file + "#/" + std::to_string(i),
                "one list of token ids a prompt, none of them empty");
  };
  if (!json.is_array()) return wrong(0);
  std::vector<std::vector<TokenId>> prompts;
  for (const Value& list : json.as_array()) {
    if (!list.is_array() || list.size() == 0) return wrong(prompts.size());
    std::vector<TokenId> ids;
    for (const Value& id : list.as_array()) {
      if (!id.is_integer() || id.as_integer() < 0 || id.as_integer() > 0x7fffffff)
        return wrong(prompts.size());
      ids.push_back(static_cast<TokenId>(id.as_integer()));
    }
    prompts.push_back(std::move(ids));
  }
  return prompts;
}

Result<int> run(CliContext& c, const Flags& f) {
  CONSORT_TRY(prompts, read_ids(f.ids_file));
  CONSORT_TRY(engine, Engine::start(c));
  CONSORT_TRY(model, engine->acquire(f.model));
  std::vector<LogitsResult> results;
  Progress progress(c.console, "logits", "prompts");
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    CONSORT_TRY(r, engine->wait(model.logits({prompts[i], f.top}, engine->request())));
    results.push_back(std::move(r));
    progress.update(i + 1, prompts.size());
  }
  progress.finish();
  std::vector<NamedTensor> tensors;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::string p = std::to_string(i) + ".";
    tensors.push_back({p + "top_ids", results[i].top_ids.view});
    tensors.push_back({p + "top_logits", results[i].top_logits.view});
    tensors.push_back({p + "logsumexp", results[i].logsumexp.view});
    tensors.push_back({p + "last", results[i].last.view});
  }
  CONSORT_CHECK_OK(write_safetensors(f.out, tensors));
  if (c.options.json)
    c.console.result(
        Value::object({{"out", f.out}, {"prompts", prompts.size()}, {"tensors", tensors.size()}}));
  else
    c.console.note("wrote " + std::to_string(tensors.size()) + " tensors to " + f.out);
  return 0;
}

}  // namespace

void add_logits(Command app, CliContext& c) {
  auto sub = app.add_subcommand("logits", "raw logits of given token ids, as a safetensors file");
  auto f = std::make_shared<Flags>();
  sub.add_option("--model", f->model, "model id or path").required();
  sub.add_option("--ids-file", f->ids_file, "JSON: [[id, ...], ...], one list a prompt").required();
  sub.add_option("--out", f->out, "safetensors file to write").required();
  sub.add_option("--top", f->top, "how many of the largest logits a token").in_range(1, 1 << 20);
  sub.callback([&c, f] { c.action = [&c, f] { return run(c, *f); }; });
}

}  // namespace consort
