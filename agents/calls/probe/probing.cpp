#include "agents/calls/probe/probing.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "agents/calls/ensemble/side_by_side.h"
#include "agents/calls/model_call.h"

namespace consort::probe_call {
namespace {

double inverse_length(const float* row, std::size_t n) {
  double squares = 0;
  for (std::size_t i = 0; i < n; ++i) squares += static_cast<double>(row[i]) * row[i];
  return squares > 0 ? 1 / std::sqrt(squares) : 1;
}

// One encoder's rows behind those that are there. Items that failed before stay failed.
Status take(const EmbedResult& result, ProbeEncoder& encoder, ItemRows& out, bool unit_length) {
  const std::size_t before = out.dimension;
  encoder.digest = result.model_digest;
  encoder.dimension = static_cast<std::size_t>(result.embeddings.view.cols());
  for (std::size_t i = 0; i < out.rows.size(); ++i) {
    if (out.error_of(i) != nullptr) continue;
    const TensorView view = result.item(i);
    const auto parts = static_cast<std::size_t>(view.rows());
    const std::size_t there = before == 0 ? parts : out.rows[i].size() / before;
    if (parts != there || parts == 0)
      return fail(ErrorKind::kInvalid,
                  "the models cut an item into " + std::to_string(there) + " and " + std::to_string(parts) +
                      " parts, which cannot stand side by side",
                  encoder.model);
    std::vector<float> rows;
    rows.reserve(parts * (before + encoder.dimension));
    const float* next = view.as<float>();
    for (std::size_t p = 0; p < parts; ++p, next += encoder.dimension) {
      const auto first = out.rows[i].begin() + static_cast<std::ptrdiff_t>(p * before);
      rows.insert(rows.end(), first, first + static_cast<std::ptrdiff_t>(before));
      const double factor = unit_length ? inverse_length(next, encoder.dimension) : 1.0;
      for (std::size_t c = 0; c < encoder.dimension; ++c)
        rows.push_back(unit_length ? static_cast<float>(next[c] * factor) : next[c]);
    }
    out.rows[i] = std::move(rows);
    out.truncated[i] = out.truncated[i] || result.truncated[i];
  }
  return {};
}

// The items that some model could not read, with the first such model's error.
void take_errors(const std::vector<Result<EmbedResult>>& answers, ItemRows& out) {
  for (const auto& answer : answers)
    for (const ItemError& error : answer->errors)
      if (out.error_of(error.item) == nullptr) out.errors.push_back(error);
  std::stable_sort(out.errors.begin(), out.errors.end(),
                   [](const ItemError& a, const ItemError& b) { return a.item < b.item; });
}

Value head_value(const Probe& head, const std::vector<double>& answer) {
  if (head.kind == ProbeKind::kRidge) return Value::object({{"value", answer[0]}});
  std::vector<LabelScore> labels;
  for (std::size_t c = 0; c < head.labels.size(); ++c) labels.push_back({head.labels[c], answer[c]});
  std::stable_sort(labels.begin(), labels.end(),
                   [](const LabelScore& a, const LabelScore& b) { return a.score > b.score; });
  return Value::object({{"labels", label_values(labels)}});
}

Result<Value> row_predictions(const ProbeFile& file, std::span<const float> row) {
  Value::Object targets;
  for (const Probe& head : file.heads) {
    CONSORT_TRY(answer, head.apply(row));
    targets.emplace_back(head.target, head_value(head, answer));
  }
  return Value::object({{"predictions", Value::object(std::move(targets))}});
}

}  // namespace

const Error* ItemRows::error_of(std::size_t item) const {
  for (const ItemError& error : errors)
    if (error.item == item) return &error.error;
  return nullptr;
}

Async<ItemRows> embed_side_by_side(ModelDirectory& models, std::vector<std::string> ids,
                                   std::vector<ModelInput> items, std::string input_type,
                                   EmbeddingLevel level, bool unit_length, RequestContext context) {
  std::vector<Async<EmbedResult>> tasks;
  for (const std::string& id : ids) {
    EmbedRequest request;
    request.inputs = items;
    request.input_type = input_type;
    request.level = level;
    tasks.push_back(ask_model(&models, id, &ModelHandle::embed, std::move(request), context));
  }
  auto waiting = side_by_side<EmbedResult>(std::move(tasks));
  auto answers = co_await std::move(waiting);
  for (auto& answer : answers)
    if (!answer) co_return forward_error(answer);
  ItemRows out;
  out.rows.resize(items.size());
  out.truncated.resize(items.size(), false);
  take_errors(answers, out);
  for (std::size_t m = 0; m < ids.size(); ++m) {
    ProbeEncoder encoder;
    encoder.model = ids[m];
    if (auto taken = take(*answers[m], encoder, out, unit_length); !taken) co_return forward_error(taken);
    out.dimension += encoder.dimension;
    out.encoders.push_back(std::move(encoder));
    out.usage += answers[m]->usage;
  }
  co_return out;
}

Async<ItemRows> embed_for_probe(ModelDirectory& models, const ProbeFile& file, std::vector<ModelInput> items,
                                RequestContext context) {
  std::vector<std::string> ids;
  for (const ProbeEncoder& encoder : file.encoders) ids.push_back(encoder.model);
  const std::size_t count = items.size();
  auto asking = embed_side_by_side(models, std::move(ids), std::move(items), file.input_type,
                                   file.level == "part" ? EmbeddingLevel::kPart : EmbeddingLevel::kItem,
                                   file.unit_length, context);
  auto rows = co_await std::move(asking);
  if (!rows || rows->errors.size() == count) co_return rows;
  for (std::size_t m = 0; m < file.encoders.size(); ++m) {
    const ProbeEncoder &wanted = file.encoders[m], &given = rows->encoders[m];
    if (wanted.digest != given.digest || wanted.dimension != given.dimension)
      co_return fail(ErrorKind::kInvalid, "the probe was fitted on other weights of this model", wanted.model,
                     "fit it again, or use the weights with digest " + wanted.digest);
  }
  co_return rows;
}

Result<Value> predictions_value(const ProbeFile& file, std::span<const float> rows) {
  const std::size_t width = file.dimension();
  if (file.level != "part") return row_predictions(file, rows);
  Value::Array parts;
  for (std::size_t at = 0; at + width <= rows.size(); at += width) {
    CONSORT_TRY(part, row_predictions(file, rows.subspan(at, width)));
    parts.push_back(std::move(part));
  }
  return Value::object({{"parts", Value::array(std::move(parts))}});
}

}  // namespace consort::probe_call
