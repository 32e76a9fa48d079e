#include "memory/retrieval/metadata.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "memory/retrieval/analyzer.h"

namespace consort {
namespace {

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxNodes = 256, kMaxIn = 1024;

bool leaf(Filter::Op op) {
  return op != Filter::Op::kAnd && op != Filter::Op::kOr && op != Filter::Op::kNot;
}

bool known_own_field(std::string_view name) {
  for (const std::string_view own :
       {"@externalId", "@source", "@run", "@task", "@model", "@created", "@updated"}) {
    if (name == own) return true;
  }
  return false;
}

Status check_node(const Filter& f, int depth, std::size_t& nodes) {
  if (depth > kMaxDepth || ++nodes > kMaxNodes) {
    return fail(ErrorKind::kInvalid,
                fmt::format("a filter deeper than {} or with more than {} conditions", kMaxDepth, kMaxNodes));
  }
  if (!leaf(f.op)) {
    if (!f.values.empty() || !f.field.empty())
      return fail(ErrorKind::kInvalid, "and, or, not take conditions only");
    for (const Filter& child : f.children) CONSORT_CHECK_OK(check_node(child, depth + 1, nodes));
    return {};
  }
  if (!f.children.empty()) return fail(ErrorKind::kInvalid, "a comparison has no conditions inside");
  if (f.field.empty()) return fail(ErrorKind::kInvalid, "a condition without a field");
  if (f.field[0] == '@' && !known_own_field(f.field)) {
    return fail(ErrorKind::kInvalid, fmt::format("items have no field '{}'", f.field), "filter",
                "use @externalId, @source, @run, @task, @model, @created or @updated");
  }
  const std::size_t wanted = f.op == Filter::Op::kExists ? 0 : 1;
  if (f.op == Filter::Op::kIn) {
    if (f.values.size() > kMaxIn)
      return fail(ErrorKind::kInvalid, fmt::format("more than {} values of in", kMaxIn));
  } else if (f.values.size() != wanted) {
    return fail(ErrorKind::kInvalid, fmt::format("the condition on '{}' takes {} value", f.field, wanted));
  }
  return {};
}

// The field's value; nullopt when the item does not have it.
std::optional<MetadataValue> read_field(const FilterSubject& s, std::string_view name) {
  if (name == "@externalId") return MetadataValue(std::string(s.external_id));
  if (name == "@source") return MetadataValue(std::string(s.source));
  if (name == "@run") return MetadataValue(std::string(s.run));
  if (name == "@task") return MetadataValue(std::string(s.task));
  if (name == "@model") return MetadataValue(std::string(s.model));
  if (name == "@created") return MetadataValue(s.created_us);
  if (name == "@updated") return MetadataValue(s.updated_us);
  const auto it = s.metadata->find(name);
  if (it == s.metadata->end()) return std::nullopt;
  return it->second;
}

// -1, 0, 1; nullopt when the two have no order. Integers against numbers exactly, not through a rounded
// double.
std::optional<int> order(const MetadataValue& a, const MetadataValue& b) {
  const auto sign = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : 0; };
  if (const auto* x = std::get_if<std::int64_t>(&a), *y = std::get_if<std::int64_t>(&b); x && y)
    return sign(*x, *y);
  if (const auto* x = std::get_if<std::string>(&a), *y = std::get_if<std::string>(&b); x && y)
    return sign(*x, *y);
  if (const auto* x = std::get_if<double>(&a), *y = std::get_if<double>(&b); x && y) return sign(*x, *y);
  const auto mixed = [&](std::int64_t i, double d) {
    if (d >= 9223372036854775808.0) return -1;
    if (d < -9223372036854775808.0) return 1;
    const auto whole = static_cast<std::int64_t>(std::floor(d));
    if (i != whole) return i < whole ? -1 : 1;
    return std::floor(d) < d ? -1 : 0;
  };
  if (const auto* x = std::get_if<std::int64_t>(&a)) {
    if (const auto* y = std::get_if<double>(&b)) return mixed(*x, *y);
  }
  if (const auto* x = std::get_if<double>(&a)) {
    if (const auto* y = std::get_if<std::int64_t>(&b)) return -mixed(*y, *x);
  }
  return std::nullopt;
}

bool equal(const MetadataValue& field, const MetadataValue& wanted) {
  if (field == wanted) return true;
  if (const auto* list = std::get_if<std::vector<std::string>>(&field)) {
    const auto* text = std::get_if<std::string>(&wanted);
    return text && std::find(list->begin(), list->end(), *text) != list->end();
  }
  return order(field, wanted) == 0;
}

bool compare_holds(Filter::Op op, const MetadataValue& field, const MetadataValue& wanted) {
  const auto o = order(field, wanted);
  if (!o) return false;
  switch (op) {
    case Filter::Op::kLess:
      return *o < 0;
    case Filter::Op::kLessEqual:
      return *o <= 0;
    case Filter::Op::kGreater:
      return *o > 0;
    default:
      return *o >= 0;
  }
}

}  // namespace

Status check_metadata(const Metadata& metadata) {
  if (metadata.size() > kMaxMetadataFields) {
    return fail(ErrorKind::kInvalid, fmt::format("more than {} metadata fields", kMaxMetadataFields));
  }
  std::size_t bytes = 0;
  bool utf8 = true;
  for (const auto& [name, value] : metadata) {
    if (name.empty() || name[0] == '@') {
      return fail(ErrorKind::kInvalid, fmt::format("'{}' is no name for a metadata field", name));
    }
    bytes += name.size() + 8;
    utf8 = utf8 && is_utf8(name);
    if (const auto* d = std::get_if<double>(&value); d && !std::isfinite(*d)) {
      return fail(ErrorKind::kInvalid, fmt::format("metadata field '{}' is not a finite number", name));
    }
    if (const auto* text = std::get_if<std::string>(&value)) {
      bytes += text->size();
      utf8 = utf8 && is_utf8(*text);
    }
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
      for (const auto& text : *list) {
        bytes += text.size() + 8;
        utf8 = utf8 && is_utf8(text);
      }
    }
  }
  if (!utf8) return fail(ErrorKind::kInvalid, "metadata is not UTF-8");
  if (bytes > kMaxMetadataBytes) {
    return fail(ErrorKind::kInvalid,
                fmt::format("metadata of {} bytes; at most {} are allowed", bytes, kMaxMetadataBytes));
  }
  return {};
}

Filter Filter::equals(std::string field, MetadataValue value) {
  return compare(Op::kEquals, std::move(field), std::move(value));
}
Filter Filter::compare(Op op, std::string field, MetadataValue value) {
  Filter f;
  f.op = op;
  f.field = std::move(field);
  f.values.push_back(std::move(value));
  return f;
}
Filter Filter::in(std::string field, std::vector<MetadataValue> values) {
  Filter f;
  f.op = Op::kIn;
  f.field = std::move(field);
  f.values = std::move(values);
  return f;
}
Filter Filter::exists(std::string field) {
  Filter f;
  f.op = Op::kExists;
  f.field = std::move(field);
  return f;
}
Filter Filter::all(std::vector<Filter> children) {
  Filter f;
  f.children = std::move(children);
  return f;
}
Filter Filter::any(std::vector<Filter> children) {
  Filter f = all(std::move(children));
  f.op = Op::kOr;
  return f;
}
Filter Filter::none(std::vector<Filter> children) {
  Filter f = all(std::move(children));
  f.op = Op::kNot;
  return f;
}

Status check_filter(const Filter& filter) {
  std::size_t nodes = 0;
  return check_node(filter, 1, nodes);
}

bool matches(const Filter& f, const FilterSubject& subject) {
  const auto holds = [&](const Filter& child) { return matches(child, subject); };
  switch (f.op) {
    case Filter::Op::kAnd:
      return std::all_of(f.children.begin(), f.children.end(), holds);
    case Filter::Op::kOr:
      return std::any_of(f.children.begin(), f.children.end(), holds);
    case Filter::Op::kNot:
      return std::none_of(f.children.begin(), f.children.end(), holds);
    default:
      break;
  }
  const auto field = read_field(subject, f.field);
  if (f.op == Filter::Op::kExists) return field.has_value();
  const MetadataValue value = field.value_or(MetadataValue());
  if (f.op == Filter::Op::kEquals) return equal(value, f.values.at(0));
  if (f.op == Filter::Op::kIn) {
    return std::any_of(f.values.begin(), f.values.end(),
                       [&](const MetadataValue& w) { return equal(value, w); });
  }
  return compare_holds(f.op, value, f.values.at(0));
}

}  // namespace consort
