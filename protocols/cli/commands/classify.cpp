// consort classify: what files are, by a classifier's own labels or (zero-shot) by labels given.
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "models/formats/safetensors_writer.h"
#include "protocols/cli/commands/commands.h"
#include "protocols/cli/commands/item_input.h"
#include "protocols/cli/engine.h"

namespace consort {
namespace {

constexpr std::size_t kBlockFiles = 32;

struct Flags {
  std::string model, scores, prompt = "a photo of a {}";
  std::vector<std::string> files, labels;
  int top = 5;
};

// Rows of raw logits of all files; rows of files that failed stay zero.
struct Scores {
  std::vector<float> rows;
  std::size_t classes = 0;

  void take(const ClassifyResult& result, const std::vector<std::size_t>& places, std::size_t files) {
    const TensorView& view = result.logits.view;
    classes = static_cast<std::size_t>(view.cols());
    rows.resize(files * classes);
    for (std::size_t i = 0; i < places.size(); ++i)
      std::memcpy(rows.data() + places[i] * classes, view.as<float>() + i * classes, classes * sizeof(float));
  }
  Status write(const std::string& path, std::size_t files) {
    const NamedTensor tensor{
        "scores", make_view(rows.data(), DType::kF32,
                            {static_cast<std::int64_t>(files), static_cast<std::int64_t>(classes)})};
    return write_safetensors(path, {&tensor, 1});
  }
};

Value label_values(const std::vector<LabelScore>& labels) {
  Value::Array out;
  for (const LabelScore& l : labels) out.push_back(Value::object({{"label", l.label}, {"score", l.score}}));
  return Value::array(std::move(out));
}

void print_file(CliContext& c, const std::string& file, const Result<Decision>& decision) {
  if (!c.options.json && c.console.terminal_out()) {
    std::string text = decision ? "" : decision.error().line();
    if (decision)
      for (const LabelScore& l : decision->labels)
        text += fmt::format("{}{} {:.3f}", text.empty() ? "" : ", ", l.label, l.score);
    return c.console.line(fmt::format("{}: {}", file, text));
  }
  Value::Object line{{"file", file}};
  if (decision) {
    line.emplace_back("labels", label_values(decision->labels));
    line.emplace_back("raw", label_values(decision->raw));
    if (!decision->reason.empty()) line.emplace_back("reason", decision->reason);
  } else {
    line.emplace_back("error", problem_value(decision.error()));
  }
  c.console.json_line(Value::object(std::move(line)));
}

// Classifies files [first, end) and prints a line for each. Returns whether all went well.
Result<bool> answer_block(CliContext& c, Engine& engine, const ModelHandle& model, const Flags& f,
                          std::size_t first, std::size_t end, Scores& scores) {
  ClassifyRequest request;
  request.labels = f.labels;
  request.prompt = f.prompt;
  request.top = f.top;
  request.logits = !f.scores.empty();
  std::vector<Result<Decision>> lines;
  std::vector<std::size_t> places;  // of the items in the list of files
  for (std::size_t i = first; i < end; ++i) {
    auto item = read_item_file(f.files[i]);
    lines.push_back(item ? Result<Decision>(Decision{}) : forward_error(item));
    if (!item) continue;
    places.push_back(i);
    request.inputs.push_back(std::move(*item));
  }
  if (!places.empty()) {
    CONSORT_TRY(result, engine.wait(model.classify(std::move(request), engine.request())));
    if (!f.scores.empty()) scores.take(result, places, f.files.size());
    for (std::size_t n = 0; n < places.size(); ++n) {
      auto& line = lines[places[n] - first];
      if (const Error* error = result.error_of(n))
        line = tl::unexpected<Error>(*error);
      else
        line = std::move(result.decisions[n]);
    }
  }
  bool good = true;
  for (std::size_t i = first; i < end; ++i) {
    print_file(c, f.files[i], lines[i - first]);
    good = good && lines[i - first];
  }
  return good;
}

Result<int> run(CliContext& c, const Flags& f) {
  CONSORT_TRY(engine, Engine::start(c));
  CONSORT_TRY(model, engine->acquire(f.model));
  Scores scores;
  bool good = true;
  for (std::size_t first = 0; first < f.files.size(); first += kBlockFiles) {
    if (c.stop.stop_requested()) return fail(ErrorKind::kCancelled, "interrupted", f.files[first]);
    const std::size_t end = std::min(first + kBlockFiles, f.files.size());
    CONSORT_TRY(block, answer_block(c, *engine, model, f, first, end, scores));
    good = good && block;
  }
  if (!f.scores.empty()) CONSORT_CHECK_OK(scores.write(f.scores, f.files.size()));
  return good ? 0 : 3;
}

}  // namespace

void add_classify(Command app, CliContext& c) {
  auto sub = app.add_subcommand("classify", "labels of files: pictures, source files, molecules");
  auto f = std::make_shared<Flags>();
  sub.add_option("--model", f->model, "model id or path").required();
  sub.add_option("files", f->files, "the files; - is standard input").required();
  sub.add_option("--labels", f->labels, "zero-shot: choose among these labels (L,L,...)").delimiter(',');
  sub.add_option("--prompt", f->prompt, "zero-shot: the text around a label, which stands in for {}")
      .show_default();
  sub.add_option("--top", f->top, "how many labels of the network itself")
      .in_range(1, 1 << 20)
      .show_default();
  sub.add_option("--scores", f->scores, "write tensor scores, f32 [files, classes]: the raw logits");
  sub.callback([&c, f] { c.action = [&c, f] { return run(c, *f); }; });
}

}  // namespace consort
