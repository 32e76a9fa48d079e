#include "models/probe/probe_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <set>

#include "models/formats/safetensors.h"
#include "models/formats/safetensors_writer.h"

namespace consort {
namespace {

constexpr std::size_t kMostRows = 10'000, kMostHeads = 10'000, kMostEncoders = 64;
constexpr std::size_t kLongestText = 10'000;
constexpr std::int64_t kMostDimension = 1 << 20;

// A list of texts as one: each with its length, "3:yes2:no".
std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += fmt::format("{}:{}", text.size(), text);
  return out;
}

Result<std::vector<std::string>> split(const std::string& text, const std::string& where) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t colon = text.find(':', at);
    const std::string digits = text.substr(at, colon == std::string::npos ? 0 : colon - at);
    if (digits.empty() || digits.size() > 5 || digits.find_first_not_of("0123456789") != std::string::npos)
      return fail(ErrorKind::kInvalid, "a list that cannot be read", where);
    const std::size_t length = std::stoul(digits);
    if (length > kLongestText || length > text.size() - colon - 1)
      return fail(ErrorKind::kInvalid, "an entry of a list reaches past its end", where);
    out.push_back(text.substr(colon + 1, length));
    at = colon + 1 + length;
  }
  return out;
}

std::string_view kind_name(ProbeKind kind) {
  return kind == ProbeKind::kRidge ? "ridge" : "logistic";
}

Status check_head(const Probe& head, std::size_t dimension, const std::string& where) {
  const bool ridge = head.kind == ProbeKind::kRidge;
  const std::size_t classes = head.labels.size();
  const bool fits =
      ridge ? classes == 0 && head.rows() == 1 : classes >= 2 && head.rows() == (classes == 2 ? 1 : classes);
  if (!fits)
    return fail(ErrorKind::kInvalid, fmt::format("{} rows do not fit {} labels", head.rows(), classes),
                where);
  if (head.dimension != dimension || head.weights.size() != head.rows() * dimension)
    return fail(ErrorKind::kInvalid,
                fmt::format("weights for {} values, the encoders give {}", head.dimension, dimension), where);
  const auto finite = [](float v) { return std::isfinite(v); };
  if (!std::all_of(head.weights.begin(), head.weights.end(), finite) ||
      !std::all_of(head.bias.begin(), head.bias.end(), finite))
    return fail(ErrorKind::kInvalid, "a weight is not a finite number", where);
  return {};
}

Status check_file(const ProbeFile& file, const std::string& path) {
  if (file.encoders.empty() || file.encoders.size() > kMostEncoders)
    return fail(ErrorKind::kInvalid, fmt::format("{} encoders", file.encoders.size()), path);
  if (file.heads.empty() || file.heads.size() > kMostHeads)
    return fail(ErrorKind::kInvalid, fmt::format("{} heads", file.heads.size()), path);
  if (file.level != "item" && file.level != "part")
    return fail(ErrorKind::kInvalid, "a level of '" + file.level + "'", path);
  if (!file.input_type.empty() && file.input_type != "query" && file.input_type != "document")
    return fail(ErrorKind::kInvalid, "an input type of '" + file.input_type + "'", path);
  std::set<std::string> targets;
  for (std::size_t i = 0; i < file.heads.size(); ++i) {
    CONSORT_CHECK_OK(check_head(file.heads[i], file.dimension(), fmt::format("{}, head {}", path, i)));
    if (!targets.insert(file.heads[i].target).second)
      return fail(ErrorKind::kInvalid, "two heads for '" + file.heads[i].target + "'", path);
  }
  return {};
}

Result<std::vector<ProbeEncoder>> read_encoders(const WeightSource& source, const std::string& path) {
  CONSORT_TRY(model_text, source.text("probe.models"));
  CONSORT_TRY(digest_text, source.text("probe.digests"));
  CONSORT_TRY(width_text, source.text("probe.dimensions"));
  CONSORT_TRY(models, split(model_text, path + ", probe.models"));
  CONSORT_TRY(digests, split(digest_text, path + ", probe.digests"));
  CONSORT_TRY(widths, split(width_text, path + ", probe.dimensions"));
  if (models.size() != digests.size() || models.size() != widths.size() || models.size() > kMostEncoders)
    return fail(ErrorKind::kInvalid, "models, digests and dimensions are lists of different lengths", path);
  std::vector<ProbeEncoder> encoders;
  for (std::size_t i = 0; i < models.size(); ++i) {
    std::int64_t width = 0;
    const char* end = widths[i].data() + widths[i].size();
    const auto [at, error] = std::from_chars(widths[i].data(), end, width);
    if (error != std::errc() || at != end || width < 1 || width > kMostDimension)
      return fail(ErrorKind::kInvalid, "a dimension that is no number", path);
    encoders.push_back({models[i], digests[i], static_cast<std::size_t>(width)});
  }
  return encoders;
}

Result<Probe> read_head(const WeightSource& source, std::size_t index, const std::string& path) {
  const std::string name = std::to_string(index);
  Probe head;
  CONSORT_TRY(kind, source.text("probe." + name + ".kind"));
  if (kind != "ridge" && kind != "logistic")
    return fail(ErrorKind::kInvalid, "a probe of kind '" + kind + "'", path);
  head.kind = kind == "ridge" ? ProbeKind::kRidge : ProbeKind::kLogistic;
  CONSORT_TRY(target, source.text("probe." + name + ".target"));
  CONSORT_TRY(penalty, source.text("probe." + name + ".penalty"));
  CONSORT_TRY(label_text, source.text("probe." + name + ".labels"));
  CONSORT_TRY(labels, split(label_text, path + ", labels of '" + target + "'"));
  CONSORT_TRY(weights, source.tensor(name + ".weights", {-1, -1}));
  CONSORT_TRY(bias, source.tensor(name + ".bias", {weights.dims[0]}));
  if (weights.dtype != DType::kF32 || bias.dtype != DType::kF32 || weights.dims[0] < 1 ||
      weights.dims[1] < 1 || weights.dims[0] > static_cast<std::int64_t>(kMostRows))
    return fail(ErrorKind::kInvalid, "tensors of another shape than a probe's", path + ", head " + name);
  head.target = std::move(target);
  head.penalty = std::strtod(penalty.c_str(), nullptr);
  head.labels = std::move(labels);
  head.dimension = static_cast<std::size_t>(weights.dims[1]);
  head.weights.assign(weights.as<float>(), weights.as<float>() + weights.elements());
  head.bias.assign(bias.as<float>(), bias.as<float>() + bias.elements());
  return head;
}

}  // namespace

std::size_t ProbeFile::dimension() const {
  std::size_t sum = 0;
  for (const ProbeEncoder& encoder : encoders) sum += encoder.dimension;
  return sum;
}

Status save_probes(const ProbeFile& file, const std::string& path) {
  CONSORT_CHECK_OK(check_file(file, path));
  std::vector<std::string> models, digests, widths;
  for (const ProbeEncoder& encoder : file.encoders) {
    models.push_back(encoder.model);
    digests.push_back(encoder.digest);
    widths.push_back(std::to_string(encoder.dimension));
  }
  std::vector<std::pair<std::string, std::string>> metadata = {
      {"model_type", "probe"},
      {"probe.models", joined(models)},
      {"probe.digests", joined(digests)},
      {"probe.dimensions", joined(widths)},
      {"probe.level", file.level},
      {"probe.input_kind", file.input_kind},
      {"probe.input_type", file.input_type},
      {"probe.length", file.unit_length ? "unit" : "own"},
      {"probe.report", file.report},
      {"probe.heads", std::to_string(file.heads.size())}};
  std::vector<NamedTensor> tensors;
  for (std::size_t i = 0; i < file.heads.size(); ++i) {
    const Probe& head = file.heads[i];
    const std::string name = std::to_string(i);
    const auto rows = static_cast<std::int64_t>(head.rows()),
               width = static_cast<std::int64_t>(head.dimension);
    tensors.push_back(
        {name + ".weights", make_view(const_cast<float*>(head.weights.data()), DType::kF32, {rows, width})});
    tensors.push_back({name + ".bias", make_view(const_cast<float*>(head.bias.data()), DType::kF32, {rows})});
    metadata.emplace_back("probe." + name + ".kind", kind_name(head.kind));
    metadata.emplace_back("probe." + name + ".target", head.target);
    metadata.emplace_back("probe." + name + ".penalty", fmt::format("{}", head.penalty));
    metadata.emplace_back("probe." + name + ".labels", joined(head.labels));
  }
  return write_safetensors(path, tensors, metadata);
}

Result<ProbeFile> load_probes(const std::string& path) {
  CONSORT_TRY(source, open_safetensors(path));
  auto type = source->text("model_type");
  if (!type || *type != "probe")
    return fail(ErrorKind::kInvalid, "not a probe", path, "make one with `consort probe fit`");
  ProbeFile file;
  CONSORT_TRY(encoders, read_encoders(*source, path));
  CONSORT_TRY(level, source->text("probe.level"));
  CONSORT_TRY(input_kind, source->text("probe.input_kind"));
  CONSORT_TRY(input_type, source->text("probe.input_type"));
  CONSORT_TRY(length, source->text("probe.length"));
  if (length != "unit" && length != "own")
    return fail(ErrorKind::kInvalid, "a length of '" + length + "'", path);
  CONSORT_TRY(report, source->text("probe.report"));
  CONSORT_TRY(count_text, source->text("probe.heads"));
  std::size_t count = 0;
  const char* end = count_text.data() + count_text.size();
  const auto [at, error] = std::from_chars(count_text.data(), end, count);
  if (error != std::errc() || at != end || count > kMostHeads)
    return fail(ErrorKind::kInvalid, "an impossible number of heads", path);
  file.encoders = std::move(encoders);
  file.level = std::move(level);
  file.input_kind = std::move(input_kind);
  file.input_type = std::move(input_type);
  file.unit_length = length == "unit";
  file.report = std::move(report);
  for (std::size_t i = 0; i < count; ++i) {
    CONSORT_TRY(head, read_head(*source, i, path));
    file.heads.push_back(std::move(head));
  }
  CONSORT_CHECK_OK(check_file(file, path));
  return file;
}

}  // namespace consort
