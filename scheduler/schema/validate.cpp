#include <algorithm>
#include <cmath>
#include <utility>

#include "scheduler/schema/schema_nodes.h"
#include "scheduler/value/pointer.h"
#include "scheduler/value/utf8.h"

namespace consort {
namespace {

constexpr std::uint64_t kMaxSteps = 5'000'000;
constexpr int kMaxDepth = 2000;

std::string shown(const Value& v) {
  if (v.approximate_bytes() > 4096) return std::string(with_article(v));
  std::string text = write_json(v);
  if (text.size() > 60) text = text.substr(0, utf8::offset_of(text, 40)) + "...";
  return text;
}

std::string counted(std::size_t n, const char* one) {
  return std::to_string(n) + " " + one + (n == 1 ? "" : "s");
}

bool has_type(const Value& v, std::string_view name) {
  if (name != "integer") return type_name(v.type()) == name;
  if (!v.is_number() || v.is_integer()) return v.is_integer();
  return std::isfinite(v.as_number()) && v.as_number() == std::trunc(v.as_number());
}

class Validator {
 public:
  Validator(std::size_t most) : most_(most) {}

  // true: valid so far. Adds findings unless `quiet_`.
  bool schema(const Schema::Node& node, const Value& v, const std::string& at);
  std::vector<SchemaFinding> take() { return std::move(findings_); }

 private:
  bool keyword(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at);
  bool number(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at);
  bool count(const Schema::Node& node, const Keyword& k, std::size_t has, const char* unit,
             const std::string& at);
  bool text(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at);
  bool array(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at);
  bool object(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at);
  bool members(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at);
  bool combination(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at);
  bool alternatives(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at);
  bool contains(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at);
  bool unique(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at);
  bool type(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at);

  bool find(const Schema::Node& node, const Keyword& k, const std::string& at, std::string message) {
    if (findings_.size() < most_)
      findings_.push_back({at, pointer_join(node.pointer, k.name), std::move(message)});
    return false;
  }
  // Is the value valid there? Its findings are dropped; the first of them comes back for a message.
  bool trial(const Schema::Node& node, const Value& v, const std::string& at, std::string* why = nullptr) {
    std::vector<SchemaFinding> kept = std::move(findings_);
    findings_.clear();
    const std::size_t most = std::exchange(most_, 1);
    const bool valid = schema(node, v, at);
    most_ = most;
    if (why && !findings_.empty()) {
      const SchemaFinding& first = findings_[0];
      *why = (first.instance == at ? "" : first.instance.substr(at.size()) + " ") + first.message;
    }
    findings_ = std::move(kept);
    return valid;
  }
  bool spend(std::uint64_t steps) {
    steps_ += steps;
    return steps_ <= kMaxSteps;
  }

  std::size_t most_;
  std::uint64_t steps_ = 0;
  int depth_ = 0;
  bool exhausted_ = false;
  std::vector<SchemaFinding> findings_;
};

bool Validator::schema(const Schema::Node& node, const Value& v, const std::string& at) {
  if (node.nothing) {
    if (findings_.size() < most_) findings_.push_back({at, node.pointer, "is not allowed here"});
    return false;
  }
  if (exhausted_ || !spend(1 + node.keywords.size()) || depth_ >= kMaxDepth) {
    exhausted_ = true;  // also inside `not` and alternatives: no verdict is ever made of an unfinished check
    return false;
  }
  ++depth_;
  bool valid = true;
  for (const Keyword& k : node.keywords) {
    valid = keyword(node, k, v, at) && valid;
    if (exhausted_) break;
  }
  --depth_;
  if (exhausted_ && depth_ == 0) {
    findings_.assign(1, {at, node.pointer, "is too much work to check against this schema"});
  }
  return valid && !exhausted_;
}

bool Validator::keyword(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at) {
  switch (k.kind) {
    case KeywordKind::kType:
      return type(node, k, v, at);
    case KeywordKind::kEnum: {
      const auto& values = k.argument.as_array();
      if (!spend(values.size())) return exhausted_ = true, false;
      if (std::find(values.begin(), values.end(), v) != values.end()) return true;
      return find(node, k, at, "must be one of " + shown(k.argument) + ", is " + shown(v));
    }
    case KeywordKind::kConst:
      return v == k.argument || find(node, k, at, "must be " + shown(k.argument) + ", is " + shown(v));
    case KeywordKind::kMultipleOf:
    case KeywordKind::kMaximum:
    case KeywordKind::kExclusiveMaximum:
    case KeywordKind::kMinimum:
    case KeywordKind::kExclusiveMinimum:
      return !v.is_number() || number(node, k, v, at);
    case KeywordKind::kMaxLength:
    case KeywordKind::kMinLength:
    case KeywordKind::kPattern:
      return !v.is_string() || text(node, k, v, at);
    case KeywordKind::kMaxItems:
    case KeywordKind::kMinItems:
    case KeywordKind::kUniqueItems:
    case KeywordKind::kPrefixItems:
    case KeywordKind::kItems:
    case KeywordKind::kContains:
      return !v.is_array() || array(node, k, v, at);
    case KeywordKind::kAllOf:
    case KeywordKind::kAnyOf:
    case KeywordKind::kOneOf:
    case KeywordKind::kNot:
    case KeywordKind::kIf:
    case KeywordKind::kRef:
      return combination(node, k, v, at);
    default:
      return !v.is_object() || object(node, k, v, at);
  }
}

bool Validator::type(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at) {
  if (k.argument.is_string()) {
    const std::string& name = k.argument.as_string();
    if (has_type(v, name)) return true;
    const bool vowel = name[0] == 'i' || name[0] == 'o' || name[0] == 'a';
    const std::string article = name == "null" ? "" : vowel ? "an " : "a ";
    return find(node, k, at, "must be " + article + name + ", is " + std::string(with_article(v)));
  }
  std::string names;
  for (const Value& name : k.argument.as_array()) {
    if (has_type(v, name.as_string())) return true;
    names += (names.empty() ? "" : " or ") + name.as_string();
  }
  return find(node, k, at, "must be " + names + ", is " + std::string(with_article(v)));
}

bool Validator::number(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at) {
  const int order = k.kind == KeywordKind::kMultipleOf ? 0 : Value::compare(v, k.argument);
  bool valid = false;
  const char* wanted = "";
  switch (k.kind) {
    case KeywordKind::kMultipleOf:
      valid = is_multiple(v, k.argument), wanted = "a multiple of ";
      break;
    case KeywordKind::kMaximum:
      valid = order <= 0, wanted = "at most ";
      break;
    case KeywordKind::kExclusiveMaximum:
      valid = order < 0, wanted = "below ";
      break;
    case KeywordKind::kMinimum:
      valid = order >= 0, wanted = "at least ";
      break;
    default:
      valid = order > 0, wanted = "above ";
      break;
  }
  return valid ||
         find(node, k, at, std::string("must be ") + wanted + shown(k.argument) + ", is " + shown(v));
}

// maxLength, minItems, ...: `has` against the argument.
bool Validator::count(const Schema::Node& node, const Keyword& k, std::size_t has, const char* unit,
                      const std::string& at) {
  const auto limit = static_cast<std::size_t>(k.argument.as_number());
  const bool at_most = k.name.starts_with("max");
  if (at_most ? has <= limit : has >= limit) return true;
  return find(node, k, at,
              std::string("must have at ") + (at_most ? "most " : "least ") + counted(limit, unit) +
                  ", has " + std::to_string(has));
}

bool Validator::text(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at) {
  const std::string& s = v.as_string();
  if (k.kind != KeywordKind::kPattern) return count(node, k, utf8::length(s), "character", at);
  if (!spend((1 + s.size()) * (1 + k.patterns[0].size() / 16))) return exhausted_ = true, false;
  return k.patterns[0].search(s) ||
         find(node, k, at, "must match the pattern " + k.argument.as_string() + ", is " + shown(v));
}

bool Validator::array(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at) {
  const auto& items = v.as_array();
  if (!spend(items.size() / 16)) return exhausted_ = true, false;
  bool valid = true;
  switch (k.kind) {
    case KeywordKind::kMaxItems:
    case KeywordKind::kMinItems:
      return count(node, k, items.size(), "item", at);
    case KeywordKind::kUniqueItems:
      return !k.argument.as_bool() || unique(node, k, v, at);
    case KeywordKind::kContains:
      return contains(node, k, v, at);
    case KeywordKind::kPrefixItems:
      for (std::size_t i = 0; i < std::min(items.size(), k.schemas.size()); ++i) {
        valid = schema(*k.schemas[i], items[i], pointer_join(at, i)) && valid;
      }
      return valid;
    default:
      for (std::size_t i = k.count; i < items.size(); ++i) {
        valid = schema(*k.schemas[0], items[i], pointer_join(at, i)) && valid;
      }
      return valid;
  }
}

bool Validator::unique(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at) {
  const auto& items = v.as_array();
  if (!spend(v.approximate_bytes() / 16)) return exhausted_ = true, false;
  std::vector<std::size_t> order(items.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const int c = Value::compare(items[a], items[b]);
    return c != 0 ? c < 0 : a < b;
  });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (items[order[i]] == items[order[i - 1]]) {
      return find(node, k, pointer_join(at, order[i]),
                  "stands twice: equal to item " + std::to_string(order[i - 1]));
    }
  }
  return true;
}

bool Validator::contains(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at) {
  std::size_t found = 0;
  for (std::size_t i = 0; i < v.size() && !exhausted_; ++i) {
    found += trial(*k.schemas[0], v.as_array()[i], pointer_join(at, i)) ? 1 : 0;
  }
  const std::string tail = " of the wanted kind, has " + std::to_string(found);
  if (found < k.count) return find(node, k, at, "must have at least " + counted(k.count, "item") + tail);
  return found <= k.most || find(node, k, at, "must have at most " + counted(k.most, "item") + tail);
}

bool Validator::object(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at) {
  bool valid = true;
  switch (k.kind) {
    case KeywordKind::kMaxProperties:
    case KeywordKind::kMinProperties:
      return count(node, k, v.size(), "key", at);
    case KeywordKind::kRequired:
      for (const std::string& name : k.names) {
        if (!v.find(name)) valid = find(node, k, at, "must have the key '" + name + "'");
      }
      return valid;
    case KeywordKind::kDependentRequired:
      for (const auto& [key, wanted] : k.argument.as_object()) {
        if (!v.find(key)) continue;
        for (const Value& name : wanted.as_array()) {
          if (v.find(name.as_string())) continue;
          valid =
              find(node, k, at, "must have the key '" + name.as_string() + "' because it has '" + key + "'");
        }
      }
      return valid;
    case KeywordKind::kDependentSchemas:
      for (std::size_t i = 0; i < k.names.size(); ++i) {
        if (v.find(k.names[i])) valid = schema(*k.schemas[i], v, at) && valid;
      }
      return valid;
    default:
      return members(node, k, v, at);
  }
}

bool Validator::members(const Schema::Node& node, const Keyword& k, const Value& v, const std::string& at) {
  bool valid = true;
  if (k.kind == KeywordKind::kProperties) {
    for (std::size_t i = 0; i < k.names.size(); ++i) {
      const Value* member = v.find(k.names[i]);
      if (member) valid = schema(*k.schemas[i], *member, pointer_join(at, k.names[i])) && valid;
    }
    return valid;
  }
  for (const auto& [key, member] : v.as_object()) {
    if (!spend(1 + k.patterns.size() * (1 + key.size()))) return exhausted_ = true, false;
    if (k.kind == KeywordKind::kPropertyNames) {
      std::string why;
      if (!trial(*k.schemas[0], Value(key), at, &why))
        valid = find(node, k, pointer_join(at, key), "key " + why);
      continue;
    }
    if (k.kind == KeywordKind::kPatternProperties) {
      for (std::size_t i = 0; i < k.patterns.size(); ++i) {
        if (k.patterns[i].search(key)) valid = schema(*k.schemas[i], member, pointer_join(at, key)) && valid;
      }
      continue;
    }
    const bool known =
        std::binary_search(k.names.begin(), k.names.end(), key) ||
        std::any_of(k.patterns.begin(), k.patterns.end(), [&](const Regex& r) { return r.search(key); });
    if (known) continue;
    if (k.schemas[0]->nothing) {
      valid = find(node, k, pointer_join(at, key), "unknown key '" + key + "'");
    } else {
      valid = schema(*k.schemas[0], member, pointer_join(at, key)) && valid;
    }
  }
  return valid;
}

bool Validator::combination(const Schema::Node& node, const Keyword& k, const Value& v,
                            const std::string& at) {
  bool valid = true;
  switch (k.kind) {
    case KeywordKind::kRef:
      return schema(*k.schemas[0], v, at);
    case KeywordKind::kAllOf:
      for (const Schema::Node* inner : k.schemas) valid = schema(*inner, v, at) && valid;
      return valid;
    case KeywordKind::kNot:
      return !trial(*k.schemas[0], v, at) || find(node, k, at, "is what 'not' forbids");
    case KeywordKind::kIf: {
      const Schema::Node* branch = k.schemas[trial(*k.schemas[0], v, at) ? 1 : 2];
      return !branch || schema(*branch, v, at);
    }
    default:
      return alternatives(node, k, v, at);
  }
}

bool Validator::alternatives(const Schema::Node& node, const Keyword& k, const Value& v,
                             const std::string& at) {
  std::size_t matches = 0;
  std::string reasons;
  constexpr std::size_t kShown = 4;
  for (std::size_t i = 0; i < k.schemas.size() && !exhausted_; ++i) {
    std::string why;
    if (trial(*k.schemas[i], v, at, &why)) {
      ++matches;
      if (k.kind == KeywordKind::kAnyOf) return true;
    } else if (i < kShown) {
      reasons += (reasons.empty() ? ": " : "; ") + why;
    }
  }
  if (matches == 1) return true;
  if (matches == 0) {
    return find(node, k, at, "fits none of " + counted(k.schemas.size(), "alternative") + reasons);
  }
  return find(node, k, at, "fits " + std::to_string(matches) + " alternatives, must fit exactly one");
}

}  // namespace

std::vector<SchemaFinding> Schema::validate(const Value& instance, std::size_t most) const {
  if (!compiled_ || most == 0) return {};
  Validator validator(most);
  validator.schema(*compiled_->root, instance, "");
  return validator.take();
}

Status Schema::check(const Value& instance) const {
  const auto findings = validate(instance, 1);
  if (findings.empty()) return {};
  return fail(ErrorKind::kInvalid, findings[0].message, findings[0].instance);
}

}  // namespace consort
