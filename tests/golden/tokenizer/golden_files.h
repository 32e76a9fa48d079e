// Recorded references of this folder and the models they were recorded from.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/formats/weight_source.h"
#include "models/tokenizer/tokenizer.h"

namespace consort::golden {

std::vector<nlohmann::json> json_lines(const std::string& file);  // tests/golden/tokenizer/data/<file>

// ${CONSORT_MODELS_DIR:-~/.cache/consort/models}/<relative>. Throws with a message that says how to get it.
std::unique_ptr<WeightSource> open_model(const std::string& relative);
std::unique_ptr<Tokenizer> open_tokenizer(const std::string& relative);

inline const std::string kSmolLm2 = "smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";
inline const std::string kGemma3 = "gemma-3-270m/gemma-3-270m-q4_k_m.gguf";
inline const std::string kMiniLm = "all-minilm-l6-v2";

}  // namespace consort::golden
