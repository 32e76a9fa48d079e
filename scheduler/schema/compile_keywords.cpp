#include <algorithm>
#include <cmath>
#include <limits>

#include "scheduler/schema/compiler.h"
#include "scheduler/value/pointer.h"

namespace consort {
namespace {

constexpr std::string_view kTypes[] = {"null", "boolean", "integer", "number", "string", "array", "object"};

// "%25" and friends of a URI fragment; false when malformed.
bool percent_decode(std::string_view text, std::string& out) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return false;
    out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
    i += 2;
  }
  return true;
}

RegexOptions ecma_262() {
  RegexOptions options;
  options.unicode_classes = false;
  options.dollar_before_newline = false;
  return options;
}

}  // namespace

bool SchemaCompiler::compile_pattern(std::string_view text, const std::string& pointer,
                                     std::vector<Regex>& out) {
  auto regex = Regex::compile(text, ecma_262());
  if (!regex)
    return refuse(regex.error().what + " (" + regex.error().where + ")", pointer, regex.error().kind);
  out.push_back(std::move(*regex));
  return true;
}

bool SchemaCompiler::type_argument(const Value& argument, const std::string& pointer) {
  const Value::Array names = argument.is_array() ? argument.as_array() : Value::Array{argument};
  if (names.empty()) return refuse("'type' must name at least one type", pointer);
  for (const Value& name : names) {
    const bool known = name.is_string() &&
                       std::find(std::begin(kTypes), std::end(kTypes), name.as_string()) != std::end(kTypes);
    if (!known) return refuse("unknown type " + write_json(name), pointer);
  }
  return true;
}

bool SchemaCompiler::string_list(const Value& argument, const std::string& pointer) {
  const bool fits = argument.is_array() && std::all_of(argument.as_array().begin(), argument.as_array().end(),
                                                       [](const Value& v) { return v.is_string(); });
  return fits || refuse("must be an array of strings", pointer);
}

bool SchemaCompiler::count_of(const Value& argument, const std::string& pointer, std::size_t& count) {
  const bool fits = argument.is_number() && argument.as_number() >= 0 && argument.as_number() < 9e15 &&
                    argument.as_number() == std::floor(argument.as_number());
  if (!fits) return refuse("must be an integer of at least 0", pointer);
  count = static_cast<std::size_t>(argument.as_number());
  return true;
}

bool SchemaCompiler::check_argument(KeywordKind kind, const Value& argument, const std::string& pointer) {
  std::size_t count = 0;
  switch (kind) {
    case KeywordKind::kType:
      return type_argument(argument, pointer);
    case KeywordKind::kEnum:
      return argument.is_array() || refuse("'enum' must be an array", pointer);
    case KeywordKind::kMultipleOf:
      return (argument.is_number() && argument.as_number() > 0) ||
             refuse("'multipleOf' must be a number above 0", pointer);
    case KeywordKind::kMaximum:
    case KeywordKind::kExclusiveMaximum:
    case KeywordKind::kMinimum:
    case KeywordKind::kExclusiveMinimum:
      return argument.is_number() || refuse("must be a number", pointer);
    case KeywordKind::kMaxLength:
    case KeywordKind::kMinLength:
    case KeywordKind::kMaxItems:
    case KeywordKind::kMinItems:
    case KeywordKind::kMaxProperties:
    case KeywordKind::kMinProperties:
      return count_of(argument, pointer, count);
    case KeywordKind::kUniqueItems:
      return argument.is_bool() || refuse("must be a boolean", pointer);
    case KeywordKind::kRequired:
      return string_list(argument, pointer);
    default:
      return true;  // const
  }
}

bool SchemaCompiler::simple(Node& node, KeywordKind kind, const std::string& name, const Value& argument) {
  if (!check_argument(kind, argument, pointer_join(node.pointer, name))) return false;
  Keyword keyword{kind, name, argument};
  if (kind == KeywordKind::kRequired) {
    for (const Value& wanted : argument.as_array()) keyword.names.push_back(wanted.as_string());
  }
  node.keywords.push_back(std::move(keyword));
  return true;
}

bool SchemaCompiler::pattern(Node& node, const std::string& name, const Value& argument) {
  const std::string pointer = pointer_join(node.pointer, name);
  if (!argument.is_string()) return refuse("'pattern' must be a string", pointer);
  Keyword keyword{KeywordKind::kPattern, name, argument};
  if (!compile_pattern(argument.as_string(), pointer, keyword.patterns)) return false;
  node.keywords.push_back(std::move(keyword));
  return true;
}

bool SchemaCompiler::one_schema(Node& node, KeywordKind kind, const std::string& name,
                                const Value& argument) {
  const NodePtr inner = schema_at(argument, pointer_join(node.pointer, name));
  if (!inner) return false;
  Keyword keyword{kind, name, argument};
  keyword.schemas.push_back(inner);
  node.keywords.push_back(std::move(keyword));
  return true;
}

bool SchemaCompiler::schema_list(Node& node, KeywordKind kind, const std::string& name,
                                 const Value& argument) {
  const std::string pointer = pointer_join(node.pointer, name);
  if (!argument.is_array() || argument.size() == 0)
    return refuse("must be an array of schemas, not empty", pointer);
  Keyword keyword{kind, name, argument};
  for (std::size_t i = 0; i < argument.size(); ++i) {
    const NodePtr inner = schema_at(argument.as_array()[i], pointer_join(pointer, i));
    if (!inner) return false;
    keyword.schemas.push_back(inner);
  }
  node.keywords.push_back(std::move(keyword));
  return true;
}

bool SchemaCompiler::schema_map(Node& node, KeywordKind kind, const std::string& name,
                                const Value& argument) {
  const std::string pointer = pointer_join(node.pointer, name);
  if (!argument.is_object()) return refuse("must be an object of schemas", pointer);
  Keyword keyword{kind, name, argument};
  for (const auto& [key, schema] : argument.as_object()) {
    const std::string at = pointer_join(pointer, key);
    if (kind == KeywordKind::kPatternProperties && !compile_pattern(key, at, keyword.patterns)) return false;
    const NodePtr inner = schema_at(schema, at);
    if (!inner) return false;
    keyword.names.push_back(key);
    keyword.schemas.push_back(inner);
  }
  node.keywords.push_back(std::move(keyword));
  return true;
}

bool SchemaCompiler::definitions(const Node& node, const std::string& name, const Value& argument) {
  const std::string pointer = pointer_join(node.pointer, name);
  if (!argument.is_object()) return refuse("must be an object of schemas", pointer);
  for (const auto& [key, schema] : argument.as_object()) {
    if (!schema_at(schema, pointer_join(pointer, key))) return false;
  }
  return true;
}

// prefixItems and items of 2020-12; `items: [...]` with additionalItems of draft 07.
bool SchemaCompiler::items(Node& node, const Value& schema, const std::string& name, const Value& argument) {
  const std::string pointer = pointer_join(node.pointer, name);
  if (name == "prefixItems" || argument.is_array()) {
    if (argument.is_array() && argument.size() == 0) return true;
    if (!schema_list(node, KeywordKind::kPrefixItems, name, argument)) return false;
    const Value* rest = name == "items" ? schema.find("additionalItems") : nullptr;
    if (!rest) return true;
    if (!one_schema(node, KeywordKind::kItems, "additionalItems", *rest)) return false;
    node.keywords.back().count = argument.size();
    return true;
  }
  if (!one_schema(node, KeywordKind::kItems, name, argument)) return false;
  node.keywords.back().count = schema.get("prefixItems").size();
  return true;
}

bool SchemaCompiler::contains(Node& node, const Value& schema, const Value& argument) {
  std::size_t least = 1, most = std::numeric_limits<std::size_t>::max();
  if (const Value* v = schema.find("minContains")) {
    if (!count_of(*v, pointer_join(node.pointer, "minContains"), least)) return false;
  }
  if (const Value* v = schema.find("maxContains")) {
    if (!count_of(*v, pointer_join(node.pointer, "maxContains"), most)) return false;
  }
  if (!one_schema(node, KeywordKind::kContains, "contains", argument)) return false;
  node.keywords.back().count = least;
  node.keywords.back().most = most;
  return true;
}

bool SchemaCompiler::additional_properties(Node& node, const Value& schema, const Value& argument) {
  if (!one_schema(node, KeywordKind::kAdditionalProperties, "additionalProperties", argument)) return false;
  Keyword& keyword = node.keywords.back();
  for (const auto& member :
       schema.get("properties").is_object() ? schema.get("properties").as_object() : Value::Object()) {
    keyword.names.push_back(member.first);
  }
  std::sort(keyword.names.begin(), keyword.names.end());
  const Value patterns = schema.get("patternProperties");
  if (!patterns.is_object()) return true;
  for (const auto& member : patterns.as_object()) {
    const std::string at = pointer_join(pointer_join(node.pointer, "patternProperties"), member.first);
    if (!compile_pattern(member.first, at, keyword.patterns)) return false;
  }
  return true;
}

bool SchemaCompiler::condition(Node& node, const Value& schema, const Value& argument) {
  if (!one_schema(node, KeywordKind::kIf, "if", argument)) return false;
  const std::size_t place = node.keywords.size() - 1;
  for (const char* branch : {"then", "else"}) {
    NodePtr inner = nullptr;
    if (const Value* v = schema.find(branch)) {
      inner = schema_at(*v, pointer_join(node.pointer, branch));
      if (!inner) return false;
    }
    node.keywords[place].schemas.push_back(inner);
  }
  return true;
}

bool SchemaCompiler::dependent_required(Node& node, const Value& argument, const std::string& name) {
  const std::string pointer = pointer_join(node.pointer, name);
  if (!argument.is_object()) return refuse("must be an object of arrays of strings", pointer);
  for (const auto& [key, wanted] : argument.as_object()) {
    if (!string_list(wanted, pointer_join(pointer, key))) return false;
  }
  node.keywords.push_back({KeywordKind::kDependentRequired, name, argument});
  return true;
}

// Draft 07: arrays of names and schemas under one keyword.
bool SchemaCompiler::dependencies(Node& node, const Value& argument) {
  const std::string pointer = pointer_join(node.pointer, "dependencies");
  if (!argument.is_object()) return refuse("must be an object", pointer);
  Value::Object names;
  Keyword schemas{KeywordKind::kDependentSchemas, "dependencies", argument};
  for (const auto& [key, wanted] : argument.as_object()) {
    if (wanted.is_array()) {
      names.emplace_back(key, wanted);
      continue;
    }
    const NodePtr inner = schema_at(wanted, pointer_join(pointer, key));
    if (!inner) return false;
    schemas.names.push_back(key);
    schemas.schemas.push_back(inner);
  }
  if (!names.empty() && !dependent_required(node, Value::object(std::move(names)), "dependencies"))
    return false;
  if (!schemas.schemas.empty()) node.keywords.push_back(std::move(schemas));
  return true;
}

bool SchemaCompiler::reference(Node& node, const Value& argument) {
  const std::string pointer = pointer_join(node.pointer, "$ref");
  if (!argument.is_string()) return refuse("'$ref' must be a string", pointer);
  const std::string& text = argument.as_string();
  std::string target;
  if (!text.starts_with('#')) {
    return refuse(
        "'" + text + "' is not a local reference: only \"#\", \"#/...\" and \"#anchor\" are followed",
        pointer, ErrorKind::kUnsupported);
  }
  if (!percent_decode(std::string_view(text).substr(1), target)) {
    return refuse("'" + text + "' is not a valid reference", pointer);
  }
  if (!target.empty() && target[0] != '/') {
    const auto anchor = anchors_.find(target);
    if (anchor == anchors_.end()) return refuse("there is no $anchor '" + target + "'", pointer);
    target = anchor->second;
  }
  const Value* found = find_pointer(root_, target);
  if (!found) return refuse("'" + text + "' refers to nothing", pointer);
  const NodePtr inner = schema_at(*found, target);
  if (!inner) return false;
  Keyword keyword{KeywordKind::kRef, "$ref", argument};
  keyword.schemas.push_back(inner);
  node.keywords.push_back(std::move(keyword));
  return true;
}

}  // namespace consort
