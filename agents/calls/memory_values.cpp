#include "agents/calls/memory_values.h"

#include <array>
#include <ctime>

#include <fmt/format.h>

namespace consort {
namespace {

Result<MetadataValue> read_meta_value(const Value& v, const std::string& where) {
  switch (v.type()) {
    case Value::Type::kNull:
      return MetadataValue();
    case Value::Type::kBool:
      return MetadataValue(v.as_bool());
    case Value::Type::kInteger:
      return MetadataValue(v.as_integer());
    case Value::Type::kNumber:
      return MetadataValue(v.as_number());
    case Value::Type::kString:
      return MetadataValue(v.as_string());
    case Value::Type::kArray:
      break;
    case Value::Type::kObject:
      return fail(ErrorKind::kInvalid, "metadata holds no objects", where);
  }
  std::vector<std::string> texts;
  for (const Value& text : v.as_array()) {
    if (!text.is_string()) return fail(ErrorKind::kInvalid, "a list in metadata holds texts only", where);
    texts.push_back(text.as_string());
  }
  return MetadataValue(std::move(texts));
}

Value meta_value(const MetadataValue& v) {
  if (const auto* b = std::get_if<bool>(&v)) return Value(*b);
  if (const auto* i = std::get_if<std::int64_t>(&v)) return Value(*i);
  if (const auto* d = std::get_if<double>(&v)) return Value(*d);
  if (const auto* s = std::get_if<std::string>(&v)) return Value(*s);
  if (const auto* list = std::get_if<std::vector<std::string>>(&v)) {
    Value::Array texts;
    for (const auto& text : *list) texts.emplace_back(text);
    return Value::array(std::move(texts));
  }
  return Value();
}

struct Comparison {
  std::string_view name;
  Filter::Op op;
};
constexpr std::array<Comparison, 5> kComparisons{{{"eq", Filter::Op::kEquals},
                                                  {"lt", Filter::Op::kLess},
                                                  {"lte", Filter::Op::kLessEqual},
                                                  {"gt", Filter::Op::kGreater},
                                                  {"gte", Filter::Op::kGreaterEqual}}};

Result<Filter> read_in(const std::string& field, const Value& list, const std::string& where) {
  if (!list.is_array()) return fail(ErrorKind::kInvalid, "'in' takes a list", where);
  std::vector<MetadataValue> values;
  for (const Value& v : list.as_array()) {
    CONSORT_TRY(value, read_meta_value(v, where));
    values.push_back(std::move(value));
  }
  return Filter::in(field, std::move(values));
}

// One member of {"gt": 1800, "lte": 1900}.
Result<Filter> read_condition(const std::string& field, const std::string& name, const Value& operand,
                              const std::string& where) {
  if (name == "in") return read_in(field, operand, where);
  if (name == "exists") {
    if (!operand.is_bool()) return fail(ErrorKind::kInvalid, "'exists' is true or false", where);
    return operand.as_bool() ? Filter::exists(field) : Filter::none({Filter::exists(field)});
  }
  CONSORT_TRY(value, read_meta_value(operand, where));
  if (name == "ne") return Filter::none({Filter::equals(field, std::move(value))});
  for (const Comparison& c : kComparisons) {
    if (name == c.name) return Filter::compare(c.op, field, std::move(value));
  }
  return fail(ErrorKind::kInvalid, fmt::format("'{}' is no comparison", name), where,
              "use eq, ne, lt, lte, gt, gte, in or exists");
}

Result<Filter> read_object(const Value& value, const std::string& where, int depth);

Result<std::vector<Filter>> read_list(const Value& value, const std::string& where, int depth) {
  if (!value.is_array()) return fail(ErrorKind::kInvalid, "'and' and 'or' take lists of filters", where);
  std::vector<Filter> filters;
  for (const Value& v : value.as_array()) {
    CONSORT_TRY(filter, read_object(v, fmt::format("{}/{}", where, filters.size()), depth + 1));
    filters.push_back(std::move(filter));
  }
  return filters;
}

Result<Filter> read_member(const std::string& name, const Value& v, const std::string& where, int depth) {
  if (name == "not") {
    CONSORT_TRY(inner, read_object(v, where, depth + 1));
    return Filter::none({std::move(inner)});
  }
  if (name == "and" || name == "or") {
    CONSORT_TRY(filters, read_list(v, where, depth));
    return name == "and" ? Filter::all(std::move(filters)) : Filter::any(std::move(filters));
  }
  std::vector<Filter> conditions;
  if (v.type() != Value::Type::kObject) {
    CONSORT_TRY(value, read_meta_value(v, where));
    return Filter::equals(name, std::move(value));
  }
  for (const auto& [comparison, operand] : v.as_object()) {
    CONSORT_TRY(condition, read_condition(name, comparison, operand, where + "/" + comparison));
    conditions.push_back(std::move(condition));
  }
  return conditions.size() == 1 ? std::move(conditions[0]) : Filter::all(std::move(conditions));
}

Result<Filter> read_object(const Value& value, const std::string& where, int depth) {
  if (value.type() != Value::Type::kObject) return fail(ErrorKind::kInvalid, "a filter is an object", where);
  if (depth > 16) return fail(ErrorKind::kInvalid, "a filter deeper than 16", where);
  std::vector<Filter> all;
  for (const auto& [name, v] : value.as_object()) {
    CONSORT_TRY(filter, read_member(name, v, where + "/" + name, depth));
    all.push_back(std::move(filter));
  }
  return all.size() == 1 ? std::move(all[0]) : Filter::all(std::move(all));
}

Value branch_value(const std::optional<BranchRank>& branch) {
  if (!branch) return Value();
  return Value::object({{"rank", static_cast<std::int64_t>(branch->rank)}, {"score", branch->score}});
}

}  // namespace

Result<Filter> read_filter(const Value& value) {
  CONSORT_TRY(filter, read_object(value, "filter", 1));
  CONSORT_CHECK_OK(check_filter(filter));
  return filter;
}

std::vector<float> read_vector(const Value& list) {
  std::vector<float> vector;
  vector.reserve(list.as_array().size());
  for (const Value& v : list.as_array()) vector.push_back(static_cast<float>(v.as_number()));
  return vector;
}

Result<Metadata> read_metadata(const Value& value) {
  Metadata metadata;
  if (value.is_null()) return metadata;
  if (value.type() != Value::Type::kObject)
    return fail(ErrorKind::kInvalid, "metadata is an object", "metadata");
  for (const auto& [name, v] : value.as_object()) {
    CONSORT_TRY(field, read_meta_value(v, "metadata/" + name));
    metadata.insert_or_assign(name, std::move(field));
  }
  CONSORT_CHECK_OK(check_metadata(metadata));
  return metadata;
}

Value metadata_value(const Metadata& metadata) {
  Value::Object members;
  for (const auto& [name, value] : metadata) members.emplace_back(name, meta_value(value));
  return Value::object(std::move(members));
}

std::string time_text(std::int64_t microseconds) {
  std::int64_t seconds = microseconds / 1'000'000, rest = microseconds % 1'000'000;
  if (rest < 0) {
    rest += 1'000'000;
    --seconds;
  }
  const auto whole = static_cast<std::time_t>(seconds);
  std::tm utc{};
  if (::gmtime_r(&whole, &utc) == nullptr) return "";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, rest);
}

Value item_value(const Item& item) {
  const Provenance& p = item.provenance;
  return Value::object(
      {{"id", item_id_text(item.id)},
       {"externalId", item.external_id.empty() ? Value() : Value(item.external_id)},
       {"text", item.text},
       {"metadata", metadata_value(item.metadata)},
       {"provenance",
        Value::object(
            {{"source", p.source}, {"runId", p.run_id}, {"task", p.task}, {"modelDigest", p.model_digest}})},
       {"created", time_text(item.created_us)},
       {"updated", time_text(item.updated_us)}});
}

Value hit_value(const SearchHit& hit) {
  return item_value(hit.item)
      .with("score", hit.score)
      .with("lexical", branch_value(hit.lexical))
      .with("dense", branch_value(hit.dense))
      .with("rerank", branch_value(hit.rerank));
}

Value search_value(const SearchResult& result, SearchMode mode) {
  Value::Array hits;
  for (const SearchHit& hit : result.hits) hits.push_back(hit_value(hit));
  return Value::object({{"hits", Value::array(std::move(hits))},
                        {"mode", search_mode_name(mode)},
                        {"items", static_cast<std::int64_t>(result.items)},
                        {"lexicalMatches", static_cast<std::int64_t>(result.lexical_matches)},
                        {"denseMatches", static_cast<std::int64_t>(result.dense_matches)}});
}

}  // namespace consort
