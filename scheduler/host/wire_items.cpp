// Requests about items and their results. An item is a text, or an object with one of: "base64" (a text that
// is not UTF-8), "smiles", "query" with "passage", "any" (a text whose kind the model decides), or "image",
// "file", "graph", "any_bytes" with the number of a tensor of the message; "name" beside them.
#include <fmt/format.h>

#include <optional>
#include <utility>

#include "scheduler/host/wire.h"
#include "scheduler/host/wire_parts.h"
#include "scheduler/host/wire_reader.h"

namespace consort {
namespace {

using Presence = WireReader::Presence;

constexpr std::pair<std::string_view, std::optional<InputKind>> kBytesKeys[] = {{"image", InputKind::kImage},
                                                                                {"file", InputKind::kFile},
                                                                                {"graph", InputKind::kGraph},
                                                                                {"any_bytes", std::nullopt}};

Value bytes_value(std::string_view key, const ModelInput& item, std::vector<TensorLease>& tensors) {
  Value::Object out{{std::string(key), static_cast<std::int64_t>(tensors.size())}};
  if (!item.name.empty()) out.emplace_back("name", wire_text(item.name));
  const SharedBytes bytes = item.bytes.value_or(SharedBytes{});
  // Nobody writes to what a lease points to.
  auto* data = const_cast<std::byte*>(bytes.view.data());  // NOLINT
  tensors.push_back({fmt::format("item{}", tensors.size()),
                     make_view(data, DType::kU8, {static_cast<std::int64_t>(bytes.size())}), bytes.owner});
  return Value::object(std::move(out));
}

Value item_value(const ModelInput& item, std::vector<TensorLease>& tensors) {
  if (item.kind == InputKind::kText) return wire_text(item.text);
  if (item.kind == InputKind::kPair)
    return Value::object({{"query", wire_text(item.text)}, {"passage", wire_text(item.passage)}});
  if (item.kind == InputKind::kMolecule) return Value::object({{"smiles", wire_text(item.text)}});
  if (!item.kind && !item.bytes) {
    Value::Object out{{"any", wire_text(item.text)}};
    if (!item.name.empty()) out.emplace_back("name", wire_text(item.name));
    return Value::object(std::move(out));
  }
  for (const auto& [key, kind] : kBytesKeys)
    if (kind == item.kind) return bytes_value(key, item, tensors);
  return Value();
}

Value item_values(const std::vector<ModelInput>& items, std::vector<TensorLease>& tensors) {
  Value::Array out;
  out.reserve(items.size());
  for (const ModelInput& item : items) out.push_back(item_value(item, tensors));
  return Value::array(std::move(out));
}

Result<SharedBytes> bytes_of(std::int64_t number, const std::vector<TensorLease>& tensors) {
  if (number < 0 || number >= std::ssize(tensors))
    return fail(ErrorKind::kInvalid, fmt::format("there is no tensor {} in the message", number), "item");
  const TensorLease& t = tensors[static_cast<std::size_t>(number)];
  if (t.view.dtype != DType::kU8 || t.view.rank != 1 || !t.view.contiguous() || t.view.dims[0] < 0 ||
      (t.view.data == nullptr && t.view.dims[0] > 0))
    return fail(ErrorKind::kInvalid,
                fmt::format("tensor {} does not hold bytes: {}", number, describe(t.view)), "item");
  return SharedBytes{{t.view.data, static_cast<std::size_t>(t.view.dims[0])}, t.owner};
}

Status read_bytes(const Value& v, const std::vector<TensorLease>& tensors, WireReader& reader,
                  ModelInput& out) {
  for (const auto& [key, kind] : kBytesKeys) {
    if (v.find(key) == nullptr) continue;
    std::int64_t number = -1;
    reader.read(key, number);
    reader.read("name", out.name, Presence::kOptional);
    CONSORT_TRY(bytes, bytes_of(number, tensors));
    out.kind = kind;
    out.bytes = std::move(bytes);
    return {};
  }
  return fail(ErrorKind::kInvalid, "neither a text nor a known kind of item", "item");
}

Result<ModelInput> read_item(const Value& v, const std::vector<TensorLease>& tensors) {
  ModelInput out;
  if (v.is_string() || v.find("base64") != nullptr) {
    const Value named = Value::object({{"text", v}});
    WireReader reader(named, "item");
    reader.read("text", out.text);
    CONSORT_CHECK_OK(reader.finish());
    return out;
  }
  WireReader reader(v, "item");
  if (v.find("smiles") != nullptr) {
    out.kind = InputKind::kMolecule;
    reader.read("smiles", out.text);
  } else if (v.find("query") != nullptr) {
    out.kind = InputKind::kPair;
    reader.read("query", out.text);
    reader.read("passage", out.passage);
  } else if (v.find("any") != nullptr) {
    out.kind = std::nullopt;
    reader.read("any", out.text);
    reader.read("name", out.name, Presence::kOptional);
  } else {
    CONSORT_CHECK_OK(read_bytes(v, tensors, reader, out));
  }
  CONSORT_CHECK_OK(reader.finish());
  return out;
}

Result<std::vector<ModelInput>> read_items(const Value& list, const std::vector<TensorLease>& tensors) {
  std::vector<ModelInput> out;
  out.reserve(list.size());
  for (const Value& item : list.as_array()) {
    CONSORT_TRY(read, read_item(item, tensors));
    out.push_back(std::move(read));
  }
  return out;
}

// ---- results --------------------------------------------------------------------------------------------

Value::Object report_members(const ItemReport& r) {
  Value::Array tokens, truncated, errors;
  for (const int n : r.tokens) tokens.emplace_back(n);
  for (const bool b : r.truncated) truncated.emplace_back(b);
  for (const ItemError& e : r.errors)
    errors.push_back(
        Value::object({{"item", static_cast<std::int64_t>(e.item)}, {"error", to_wire(e.error)}}));
  return {{"tokens", Value::array(std::move(tokens))},
          {"truncated", Value::array(std::move(truncated))},
          {"errors", Value::array(std::move(errors))},
          {"model_digest", wire_text(r.model_digest)},
          {"usage", wire_usage(r.usage)}};
}

// Reads what report_members wrote; call finish() of the reader afterwards.
Status read_report(WireReader& reader, ItemReport& out) {
  reader.read("tokens", out.tokens);
  reader.read("truncated", out.truncated);
  reader.read("model_digest", out.model_digest);
  const Value* errors = reader.take("errors", Value::Type::kArray);
  const Value* usage = reader.take("usage", Value::Type::kObject);
  if (!reader.good()) return reader.finish();
  if (out.tokens.size() != out.truncated.size())
    return fail(ErrorKind::kInvalid, "'tokens' and 'truncated' differ in length", "result");
  for (const Value& v : errors->as_array()) {
    std::int64_t item = -1;
    WireReader one(v, "item error");
    one.read("item", item);
    const Value* error = one.take("error", Value::Type::kObject);
    CONSORT_CHECK_OK(one.finish());
    if (item < 0 || item >= std::ssize(out.tokens) ||
        (!out.errors.empty() && item <= static_cast<std::int64_t>(out.errors.back().item)))
      return fail(ErrorKind::kInvalid, "an error of an item that is not there", "result");
    out.errors.push_back({static_cast<std::size_t>(item), read_error(*error)});
  }
  CONSORT_TRY(u, read_usage(usage));
  out.usage = u;
  return {};
}

Value label_values(const std::vector<LabelScore>& labels) {
  Value::Array out;
  for (const LabelScore& l : labels) out.push_back(Value::array({wire_text(l.label), wire_number(l.score)}));
  return Value::array(std::move(out));
}

Status read_labels(const Value& list, std::vector<LabelScore>& out) {
  for (const Value& pair : list.as_array()) {
    if (!pair.is_array() || pair.size() != 2)
      return fail(ErrorKind::kInvalid, "a label is [text, number]", "decision");
    const Value named = Value::object({{"label", pair.as_array()[0]}, {"score", pair.as_array()[1]}});
    WireReader reader(named, "label");
    LabelScore label;
    reader.read("label", label.label);
    reader.read("score", label.score);
    CONSORT_CHECK_OK(reader.finish());
    out.push_back(std::move(label));
  }
  return {};
}

Result<Decision> read_decision(const Value& v) {
  Decision out;
  WireReader reader(v, "decision");
  const Value* labels = reader.take("labels", Value::Type::kArray);
  const Value* raw = reader.take("raw", Value::Type::kArray);
  reader.read("reason", out.reason, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  CONSORT_CHECK_OK(read_labels(*labels, out.labels));
  CONSORT_CHECK_OK(read_labels(*raw, out.raw));
  return out;
}

std::string_view level_name(EmbeddingLevel level) {
  return level == EmbeddingLevel::kItem ? "item" : "part";
}
Result<EmbeddingLevel> read_level(const std::string& name) {
  if (name == "item") return EmbeddingLevel::kItem;
  if (name == "part") return EmbeddingLevel::kPart;
  return fail(ErrorKind::kInvalid, fmt::format("level '{}' is not item or part", name));
}

}  // namespace

// ---- requests -------------------------------------------------------------------------------------------

Value to_wire(const EmbedRequest& r, std::vector<TensorLease>& tensors) {
  Value::Object out{{"inputs", item_values(r.inputs, tensors)}, {"input_type", wire_text(r.input_type)}};
  if (r.level) out.emplace_back("level", level_name(*r.level));
  return Value::object(std::move(out));
}

Result<EmbedRequest> read_embed_request(const Value& v, const std::vector<TensorLease>& tensors) {
  EmbedRequest out;
  std::string level;
  WireReader reader(v, "embed request");
  const Value* inputs = reader.take("inputs", Value::Type::kArray);
  reader.read("input_type", out.input_type, Presence::kOptional);
  reader.read("level", level, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  CONSORT_TRY(items, read_items(*inputs, tensors));
  out.inputs = std::move(items);
  if (level.empty()) return out;
  CONSORT_TRY(known, read_level(level));
  out.level = known;
  return out;
}

Value to_wire(const ClassifyRequest& r, std::vector<TensorLease>& tensors) {
  return Value::object({{"inputs", item_values(r.inputs, tensors)},
                        {"top", r.top},
                        {"labels", wire_texts(r.labels)},
                        {"prompt", wire_text(r.prompt)},
                        {"logits", r.logits}});
}

Result<ClassifyRequest> read_classify_request(const Value& v, const std::vector<TensorLease>& tensors) {
  ClassifyRequest out;
  WireReader reader(v, "classify request");
  const Value* inputs = reader.take("inputs", Value::Type::kArray);
  reader.read("top", out.top, Presence::kOptional);
  reader.read("labels", out.labels, Presence::kOptional);
  reader.read("prompt", out.prompt, Presence::kOptional);
  reader.read("logits", out.logits, Presence::kOptional);
  CONSORT_CHECK_OK(reader.finish());
  if (out.top < 1) return fail(ErrorKind::kInvalid, "'top' is not positive", "classify request");
  CONSORT_TRY(items, read_items(*inputs, tensors));
  out.inputs = std::move(items);
  return out;
}

Value to_wire(const RerankRequest& r) {
  Value::Array pairs;
  pairs.reserve(r.pairs.size());
  for (const TextPair& p : r.pairs)
    pairs.push_back(Value::object({{"query", wire_text(p.query)}, {"passage", wire_text(p.passage)}}));
  return Value::object({{"pairs", Value::array(std::move(pairs))}});
}

Result<RerankRequest> read_rerank_request(const Value& v) {
  RerankRequest out;
  WireReader reader(v, "rerank request");
  const Value* pairs = reader.take("pairs", Value::Type::kArray);
  CONSORT_CHECK_OK(reader.finish());
  for (const Value& item : pairs->as_array()) {
    TextPair pair;
    WireReader one(item, "pair");
    one.read("query", pair.query);
    one.read("passage", pair.passage);
    CONSORT_CHECK_OK(one.finish());
    out.pairs.push_back(std::move(pair));
  }
  return out;
}

// ---- results --------------------------------------------------------------------------------------------

Value to_wire(const EmbedResult& r, std::vector<TensorLease>& tensors) {
  Value::Object out = report_members(r);
  Value::Array rows;
  for (std::size_t i = 0; i < r.items(); ++i) rows.emplace_back(r.offsets[i + 1] - r.offsets[i]);
  out.emplace_back("rows", Value::array(std::move(rows)));
  out.emplace_back("level", level_name(r.level));
  tensors.push_back(r.embeddings);
  return Value::object(std::move(out));
}

Result<EmbedResult> read_embed_result(const Value& v, const std::vector<TensorLease>& tensors) {
  EmbedResult out;
  std::vector<int> rows;
  std::string level;
  WireReader reader(v, "embed result");
  reader.read("rows", rows);
  reader.read("level", level);
  CONSORT_CHECK_OK(read_report(reader, out));
  CONSORT_CHECK_OK(reader.finish());
  if (rows.size() != out.tokens.size())
    return fail(ErrorKind::kInvalid, "'rows' and 'tokens' differ in length", "embed result");
  out.offsets.push_back(0);
  for (const int n : rows) out.offsets.push_back(out.offsets.back() + n);
  CONSORT_TRY(known, read_level(level));
  CONSORT_TRY(embeddings, take_tensor(tensors, "embeddings", DType::kF32, {out.offsets.back(), -1}));
  out.level = known;
  out.embeddings = std::move(embeddings);
  return out;
}

Value to_wire(const ClassifyResult& r, std::vector<TensorLease>& tensors) {
  Value::Object out = report_members(r);
  Value::Array decisions;
  for (const Decision& d : r.decisions) {
    Value::Object one{{"labels", label_values(d.labels)}, {"raw", label_values(d.raw)}};
    if (!d.reason.empty()) one.emplace_back("reason", wire_text(d.reason));
    decisions.push_back(Value::object(std::move(one)));
  }
  out.emplace_back("decisions", Value::array(std::move(decisions)));
  if (!r.logits.name.empty()) tensors.push_back(r.logits);
  return Value::object(std::move(out));
}

Result<ClassifyResult> read_classify_result(const Value& v, const std::vector<TensorLease>& tensors) {
  ClassifyResult out;
  WireReader reader(v, "classify result");
  const Value* decisions = reader.take("decisions", Value::Type::kArray);
  CONSORT_CHECK_OK(read_report(reader, out));
  CONSORT_CHECK_OK(reader.finish());
  if (decisions->size() != out.tokens.size())
    return fail(ErrorKind::kInvalid, "'decisions' and 'tokens' differ in length", "classify result");
  for (const Value& item : decisions->as_array()) {
    CONSORT_TRY(decision, read_decision(item));
    out.decisions.push_back(std::move(decision));
  }
  if (tensors.empty()) return out;
  CONSORT_TRY(logits, take_tensor(tensors, "logits", DType::kF32, {std::ssize(out.tokens), -1}));
  out.logits = std::move(logits);
  return out;
}

Value to_wire(const RerankResult& r, std::vector<TensorLease>&) {
  Value::Object out = report_members(r);
  Value::Array scores;
  for (const double score : r.scores) scores.push_back(wire_number(score));
  out.emplace_back("scores", Value::array(std::move(scores)));
  return Value::object(std::move(out));
}

Result<RerankResult> read_rerank_result(const Value& v, const std::vector<TensorLease>&) {
  RerankResult out;
  WireReader reader(v, "rerank result");
  reader.read("scores", out.scores);
  CONSORT_CHECK_OK(read_report(reader, out));
  CONSORT_CHECK_OK(reader.finish());
  if (out.scores.size() != out.tokens.size())
    return fail(ErrorKind::kInvalid, "'scores' and 'tokens' differ in length", "rerank result");
  return out;
}

}  // namespace consort
