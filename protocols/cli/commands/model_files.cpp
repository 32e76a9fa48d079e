#include "protocols/cli/commands/model_files.h"

#include <spdlog/spdlog.h>

#include "memory/base/text.h"

namespace consort {

Result<Catalogue> open_catalogue(const CliContext& c) {
  if (c.options.project_dir.empty())
    return fail(ErrorKind::kNotFound, "the shipped configs/ folder is not to be found", "configs/models.json",
                "run the program from its source tree or install prefix");
  return Catalogue::load(c.options.project_dir + "/configs/models.json", c.options.models_dir,
                         c.options.project_dir);
}

std::shared_ptr<PackedCache> packed_cache(const CliContext& c) {
  if (c.options.packed_cache == "off") return nullptr;
  PackedCacheOptions options;
  options.folder = c.options.models_dir + "/packed";
  options.check = c.options.packed_cache == "check";
  options.warn = [](const std::string& what) {
    spdlog::warn("packed weights are not kept for the next start: {}; --packed-cache off does without", what);
  };
  return std::make_shared<PackedCache>(std::move(options));
}

Result<TextModelFiles> open_text_model(const CliContext& c, const std::string& id_or_path) {
  TextModelFiles files;
  CONSORT_TRY(catalogue, open_catalogue(c));
  CONSORT_TRY(path, catalogue.resolve(id_or_path));
  CONSORT_TRY(source, open_weights(path));
  CONSORT_TRY(tokenizer, load_tokenizer(*source));
  files.path = std::move(path);
  files.source = std::move(source);
  files.tokenizer = std::move(tokenizer);
  return files;
}

void append_text(Value::Object& members, const std::string& bytes) {
  bool replaced = false;
  members.emplace_back("text", to_utf8(bytes, replaced));
  if (replaced) members.emplace_back("bytes_base64", base64(bytes));
}

}  // namespace consort
