#include "models/arch/magika/rules.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

namespace consort::magika {
namespace {

using Json = nlohmann::json;
constexpr std::uintmax_t kMostBytes = 4u << 20;  // the larger of the two files has 45 KB
constexpr double kDefaultThreshold = 0.5;
constexpr std::size_t kMostLabels = 4096;

Result<Json> read_object(const std::string& path) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) return fail(ErrorKind::kNotFound, "the file is missing", path);
  if (bytes > kMostBytes) return fail(ErrorKind::kCorrupt, "far larger than such a file is", path);
  std::ifstream file(path, std::ios::binary);
  Json json = Json::parse(file, nullptr, false);
  if (!json.is_object()) return fail(ErrorKind::kCorrupt, "not a JSON object", path);
  return json;
}

// What the features are made for; another geometry would give fluent nonsense.
Status check_geometry(const Json& config, const std::string& path) {
  const std::pair<const char*, int> expected[] = {{"beg_size", 1024},     {"mid_size", 0},
                                                  {"end_size", 1024},     {"block_size", 4096},
                                                  {"padding_token", 256}, {"min_file_size_for_dl", 8}};
  for (const auto& [key, value] : expected)
    if (!config.contains(key) || config[key] != value)
      return fail(ErrorKind::kUnsupported, std::string("another ") + key + " than " + std::to_string(value),
                  path);
  if (config.value("use_inputs_at_offsets", Json(false)) != false)
    return fail(ErrorKind::kUnsupported, "inputs at offsets", path);
  return {};
}

bool probability(const Json& value) {
  return value.is_number() && value.get<double>() >= 0 && value.get<double>() <= 1;
}

}  // namespace

Result<Rules> Rules::load(const std::string& folder) {
  const std::string config_path = folder + "/config.min.json",
                    kinds_path = folder + "/content_types_kb.min.json";
  CONSORT_TRY(config, read_object(config_path));
  CONSORT_TRY(kinds, read_object(kinds_path));
  CONSORT_CHECK_OK(check_geometry(config, config_path));
  Rules rules;
  const auto corrupt = [&](const char* key) {
    return fail(ErrorKind::kCorrupt, "not what such a file holds", config_path + ", key " + key);
  };
  const Json labels = config.value("target_labels_space", Json());
  if (!labels.is_array() || labels.empty() || labels.size() > kMostLabels)
    return corrupt("target_labels_space");
  for (const Json& label : labels) {
    if (!label.is_string()) return corrupt("target_labels_space");
    rules.labels_.push_back(label.get<std::string>());
  }
  const Json medium = config.value("medium_confidence_threshold", Json(kDefaultThreshold));
  if (!probability(medium)) return corrupt("medium_confidence_threshold");
  rules.medium_threshold_ = medium.get<double>();
  const Json thresholds = config.value("thresholds", Json::object()),
             overwrite = config.value("overwrite_map", Json::object());
  if (!thresholds.is_object() || !overwrite.is_object()) return corrupt("thresholds");
  for (const auto& [label, value] : thresholds.items()) {
    if (!probability(value)) return corrupt("thresholds");
    rules.thresholds_[label] = value.get<double>();
  }
  for (const auto& [label, value] : overwrite.items()) {
    if (!value.is_string()) return corrupt("overwrite_map");
    rules.overwrite_[label] = value.get<std::string>();
  }
  for (const auto& [label, about] : kinds.items())
    if (about.is_object() && about.value("is_text", Json(false)) == true) rules.text_labels_.insert(label);
  return rules;
}

Decision Rules::decide(std::span<const double> probabilities, Mode mode, int top) const {
  std::vector<std::size_t> order(std::min(probabilities.size(), labels_.size()));
  std::iota(order.begin(), order.end(), std::size_t{0});
  Decision decision;
  if (order.empty()) return decision;
  const std::size_t keep = std::min(order.size(), static_cast<std::size_t>(std::max(top, 1)));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(keep), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return probabilities[a] != probabilities[b] ? probabilities[a] > probabilities[b]
                                                                  : a < b;
                    });
  for (std::size_t i = 0; i < std::min(keep, static_cast<std::size_t>(std::max(top, 0))); ++i)
    decision.raw.push_back({labels_[order[i]], probabilities[order[i]]});
  const std::string& best = labels_[order[0]];
  const double score = probabilities[order[0]];
  const auto overwritten = overwrite_.find(best);
  std::string output = overwritten == overwrite_.end() ? best : overwritten->second;
  if (output != best) decision.reason = "overwrite_map";
  double needed = 0;
  if (mode == Mode::kMediumConfidence) needed = medium_threshold_;
  if (mode == Mode::kHighConfidence) {
    const auto own = thresholds_.find(best);
    needed = own == thresholds_.end() ? kDefaultThreshold : own->second;
  }
  if (score < needed) {
    output = text_labels_.contains(output) ? "txt" : "unknown";
    decision.reason = output == best ? "" : "low_confidence";
  }
  decision.labels.push_back({std::move(output), score});
  return decision;
}

}  // namespace consort::magika
