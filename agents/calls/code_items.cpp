#include "agents/calls/code_items.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>

namespace consort {
namespace {

constexpr std::array<std::string_view, 26> kOtherLanguages{
    "asm",     "batch",      "clojure", "cmake", "cobol", "css", "dockerfile", "elixir", "erlang",
    "fortran", "haskell",    "html",    "julia", "lisp",  "lua", "makefile",   "matlab", "ocaml",
    "perl",    "powershell", "prolog",  "r",     "ruby",  "sql", "verilog",    "vhdl"};

bool is_code(std::string_view label) {
  return code_syntax(label) != CodeSyntax::kNone ||
         std::find(kOtherLanguages.begin(), kOtherLanguages.end(), label) != kOtherLanguages.end();
}

std::string by_ending(const std::string& name) {
  return std::string(code_label_of_extension(std::filesystem::path(name).extension().string()));
}

}  // namespace

bool is_foreign_folder(std::string_view name) {
  for (const std::string_view foreign : {"build", "node_modules", "target", "dist", "__pycache__", "vendor"})
    if (name == foreign) return true;
  return name.starts_with('.') && name != "." && name != "..";
}

Async<std::vector<std::string>> languages_of(ModelDirectory* models, std::string classifier,
                                             std::vector<std::string> texts, std::vector<std::string> names,
                                             RequestContext context) {
  std::vector<std::string> languages;
  for (const std::string& name : names) languages.push_back(by_ending(name));
  if (classifier.empty()) co_return languages;
  auto handle = co_await models->acquire(classifier, context);
  if (!handle) co_return forward_error(handle);
  ClassifyRequest request;
  request.top = 1;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ModelInput input;
    input.kind = InputKind::kFile;
    input.bytes = SharedBytes::of(std::move(texts[i]));
    input.name = names[i];
    request.inputs.push_back(std::move(input));
  }
  auto result = co_await handle->classify(std::move(request), context);
  if (!result) co_return forward_error(result);
  for (std::size_t i = 0; i < languages.size() && i < result->decisions.size(); ++i) {
    const Decision& decision = result->decisions[i];
    if (decision.labels.empty()) continue;
    const std::string& label = decision.labels[0].label;
    if (label != "txt" && label != "unknown") languages[i] = is_code(label) ? label : "";
  }
  co_return languages;
}

std::vector<NewItem> code_items(std::string_view path, std::string_view language, std::string_view text,
                                const CodeSplitOptions& options) {
  std::vector<NewItem> items;
  for (const CodePiece& piece : split_code(text, code_syntax(language), options)) {
    NewItem item;
    item.external_id = fmt::format("{}#{}", path, piece.position);
    item.text = code_item_text(path, piece);
    item.metadata["path"] = std::string(path);
    item.metadata["language"] = std::string(language);
    item.metadata["kind"] = piece.kind;
    if (!piece.symbol.empty()) item.metadata["symbol"] = piece.symbol;
    item.metadata["line"] = static_cast<std::int64_t>(piece.first_line);
    item.metadata["endLine"] = static_cast<std::int64_t>(piece.last_line);
    item.metadata["position"] = static_cast<std::int64_t>(piece.position);
    item.provenance.source = std::string(path);
    item.provenance.task = "ingest";
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace consort
