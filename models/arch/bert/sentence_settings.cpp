#include "models/arch/bert/sentence_settings.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

namespace consort {
namespace {

using Json = nlohmann::json;
constexpr std::uintmax_t kMostBytes = 1 << 16;  // real files have under 1 KiB

// nullopt when there is no such file.
Result<std::optional<Json>> read_object(const std::string& path) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) return std::optional<Json>{};
  if (bytes > kMostBytes) return fail(ErrorKind::kCorrupt, "far larger than such a file is", path);
  std::ifstream file(path, std::ios::binary);
  Json json = Json::parse(file, nullptr, false);
  if (!json.is_object()) return fail(ErrorKind::kCorrupt, "not a JSON object", path);
  return std::optional<Json>{std::move(json)};
}

}  // namespace

Result<SentenceSettings> read_sentence_settings(const std::string& folder) {
  SentenceSettings settings;
  const std::string limits = folder + "/sentence_bert_config.json",
                    pooling = folder + "/1_Pooling/config.json";
  CONSORT_TRY(limit_json, read_object(limits));
  if (limit_json && limit_json->contains("max_seq_length")) {
    const Json& value = (*limit_json)["max_seq_length"];
    if (!value.is_number_integer() || value.get<std::int64_t>() < 2 || value.get<std::int64_t>() > (1 << 20))
      return fail(ErrorKind::kCorrupt, "max_seq_length is not a sensible number", limits);
    settings.max_tokens = value.get<int>();
  }
  CONSORT_TRY(pooling_json, read_object(pooling));
  if (!pooling_json) return settings;
  for (const auto& [key, value] : pooling_json->items()) {
    if (!key.starts_with("pooling_mode_") || !value.is_boolean() || !value.get<bool>()) continue;
    if (key == "pooling_mode_cls_token")
      settings.pooling = "cls";
    else if (key != "pooling_mode_mean_tokens")
      return fail(ErrorKind::kUnsupported, "the pooling " + key.substr(13), pooling,
                  "the mean over tokens and the [CLS] token are known");
    else if (settings.pooling == "cls")
      return fail(ErrorKind::kUnsupported, "two poolings at once", pooling);
  }
  return settings;
}

}  // namespace consort
