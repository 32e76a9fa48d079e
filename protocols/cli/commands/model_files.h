// What commands about a model's files share: catalogue, weights, tokenizer and chat template without an
// engine.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "models/catalogue/catalogue.h"
#include "models/formats/weight_source.h"
#include "models/packed/packed_cache.h"
#include "models/tokenizer/chat_template.h"
#include "protocols/cli/context.h"

namespace consort {

// The shipped catalogue with this process's models folder. Errors: kNotFound when configs/ is not to be
// found.
Result<Catalogue> open_catalogue(const CliContext& c);

// The cache of packed weights in the models folder, or null when it is switched off.
std::shared_ptr<PackedCache> packed_cache(const CliContext& c);

struct TextModelFiles {
  std::string path;
  std::shared_ptr<const WeightSource> source;
  std::unique_ptr<Tokenizer> tokenizer;
};
// A catalogue id or a path. Errors: kNotFound says how to get the model.
Result<TextModelFiles> open_text_model(const CliContext& c, const std::string& id_or_path);

// {text} or, when the bytes are not UTF-8, {text with U+FFFD, bytes_base64}, as members to append.
void append_text(Value::Object& members, const std::string& bytes);

}  // namespace consort
