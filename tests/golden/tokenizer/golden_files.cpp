#include "tests/golden/tokenizer/golden_files.h"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace consort::golden {

std::vector<nlohmann::json> json_lines(const std::string& file) {
  const std::string path = std::string(CONSORT_SOURCE_DIR) + "/tests/golden/tokenizer/data/" + file;
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(in, line);) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

std::unique_ptr<WeightSource> open_model(const std::string& relative) {
  const char* folder = std::getenv("CONSORT_MODELS_DIR");
  const char* home = std::getenv("HOME");
  const std::string base = folder ? folder : std::string(home ? home : ".") + "/.cache/consort/models";
  auto source = open_weights(base + "/" + relative);
  if (!source) throw std::runtime_error(source.error().line() + "; get the weights with `make models`");
  return std::move(*source);
}

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& relative) {
  const auto source = open_model(relative);
  auto tokenizer = load_tokenizer(*source);
  if (!tokenizer) throw std::runtime_error(tokenizer.error().line());
  return std::move(*tokenizer);
}

}  // namespace consort::golden
