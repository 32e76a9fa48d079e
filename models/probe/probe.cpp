#include "models/probe/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "models/formats/safetensors.h"
#include "models/formats/safetensors_writer.h"

namespace consort {
namespace {

constexpr std::size_t kMostRows = 10'000;
constexpr std::size_t kLongestLabel = 1000;

// Labels stand in one text: each with its length, "3:yes2:no".
std::string joined(const std::vector<std::string>& labels) {
  std::string text;
  for (const std::string& label : labels) text += fmt::format("{}:{}", label.size(), label);
  return text;
}

Result<std::vector<std::string>> split(const std::string& text, const std::string& where) {
  std::vector<std::string> labels;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t colon = text.find(':', at);
    const std::string digits = text.substr(at, colon == std::string::npos ? 0 : colon - at);
    if (digits.empty() || digits.size() > 4 || digits.find_first_not_of("0123456789") != std::string::npos)
      return fail(ErrorKind::kInvalid, "labels that cannot be read", where);
    const std::size_t length = std::stoul(digits);
    if (length > kLongestLabel || length > text.size() - colon - 1)
      return fail(ErrorKind::kInvalid, "a label reaches past the end", where);
    labels.push_back(text.substr(colon + 1, length));
    at = colon + 1 + length;
  }
  return labels;
}

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

Status check_shape(const Probe& probe, const std::string& where) {
  const bool ridge = probe.kind == ProbeKind::kRidge;
  const std::size_t classes = probe.labels.size();
  const bool fits = ridge ? classes == 0 && probe.rows() == 1
                          : classes >= 2 && probe.rows() == (classes == 2 ? 1 : classes);
  if (!fits)
    return fail(ErrorKind::kInvalid, fmt::format("{} rows do not fit {} labels", probe.rows(), classes),
                where);
  const auto finite = [](float v) { return std::isfinite(v); };
  if (!std::all_of(probe.weights.begin(), probe.weights.end(), finite) ||
      !std::all_of(probe.bias.begin(), probe.bias.end(), finite))
    return fail(ErrorKind::kInvalid, "a weight is not a finite number", where);
  if (probe.level != "item" && probe.level != "part")
    return fail(ErrorKind::kInvalid, "a level of '" + probe.level + "'", where);
  return {};
}

}  // namespace

Result<std::vector<double>> Probe::apply(std::span<const float> embedding) const {
  std::vector<double> scores(rows());
  for (std::size_t r = 0; r < rows(); ++r) {
    double sum = bias[r];
    for (std::size_t i = 0; i < dimension; ++i)
      sum += static_cast<double>(weights[r * dimension + i]) * embedding[i];
    if (!std::isfinite(sum)) return fail(ErrorKind::kInvalid, "an embedding that is not finite", target);
    scores[r] = sum;
  }
  if (kind == ProbeKind::kRidge) return scores;
  if (rows() == 1) return std::vector<double>{sigmoid(-scores[0]), sigmoid(scores[0])};
  double total = 0;
  for (double& s : scores) total += s = std::max(sigmoid(s), 1e-300);
  for (double& s : scores) s /= total;
  return scores;
}

Status save_probe(const Probe& probe, const std::string& path) {
  const auto rows = static_cast<std::int64_t>(probe.rows()),
             width = static_cast<std::int64_t>(probe.dimension);
  const NamedTensor tensors[] = {
      {"weights", make_view(const_cast<float*>(probe.weights.data()), DType::kF32, {rows, width})},
      {"bias", make_view(const_cast<float*>(probe.bias.data()), DType::kF32, {rows})}};
  const std::pair<std::string, std::string> metadata[] = {
      {"model_type", "probe"},
      {"probe.kind", probe.kind == ProbeKind::kRidge ? "ridge" : "logistic"},
      {"probe.model", probe.model},
      {"probe.weights_digest", probe.weights_digest},
      {"probe.target", probe.target},
      {"probe.level", probe.level},
      {"probe.penalty", fmt::format("{}", probe.penalty)},
      {"probe.labels", joined(probe.labels)}};
  return write_safetensors(path, tensors, metadata);
}

Result<Probe> load_probe(const std::string& path) {
  CONSORT_TRY(source, open_safetensors(path));
  CONSORT_TRY(type, source->text("model_type"));
  if (type != "probe") return fail(ErrorKind::kInvalid, "not a probe but '" + type + "'", path);
  Probe probe;
  CONSORT_TRY(kind, source->text("probe.kind"));
  if (kind != "ridge" && kind != "logistic")
    return fail(ErrorKind::kInvalid, "a probe of kind '" + kind + "'", path);
  probe.kind = kind == "ridge" ? ProbeKind::kRidge : ProbeKind::kLogistic;
  CONSORT_TRY(model, source->text("probe.model"));
  CONSORT_TRY(digest, source->text("probe.weights_digest"));
  CONSORT_TRY(target, source->text("probe.target"));
  CONSORT_TRY(level, source->text("probe.level"));
  CONSORT_TRY(penalty, source->text("probe.penalty"));
  CONSORT_TRY(label_text, source->text("probe.labels"));
  CONSORT_TRY(labels, split(label_text, path));
  CONSORT_TRY(weights, source->tensor("weights", {-1, -1}));
  CONSORT_TRY(bias, source->tensor("bias", {weights.dims[0]}));
  if (weights.dtype != DType::kF32 || bias.dtype != DType::kF32 || weights.dims[0] < 1 ||
      weights.dims[1] < 1 || weights.dims[0] > static_cast<std::int64_t>(kMostRows))
    return fail(ErrorKind::kInvalid, "tensors of another shape than a probe's", path);
  probe.model = model;
  probe.weights_digest = digest;
  probe.target = target;
  probe.level = level;
  probe.penalty = std::strtod(penalty.c_str(), nullptr);
  probe.labels = std::move(labels);
  probe.dimension = static_cast<std::size_t>(weights.dims[1]);
  probe.weights.assign(weights.as<float>(), weights.as<float>() + weights.elements());
  probe.bias.assign(bias.as<float>(), bias.as<float>() + bias.elements());
  CONSORT_CHECK_OK(check_shape(probe, path));
  return probe;
}

}  // namespace consort
