#include <algorithm>

#include "scheduler/schema/compiler.h"
#include "scheduler/value/pointer.h"

namespace consort {
namespace {

constexpr int kMaxSchemaDepth = 100;
constexpr std::size_t kMaxSchemaNodes = 50'000;

struct Name {
  std::string_view name;
  KeywordKind kind;
};
constexpr Name kSimple[] = {{"type", KeywordKind::kType},
                            {"enum", KeywordKind::kEnum},
                            {"const", KeywordKind::kConst},
                            {"multipleOf", KeywordKind::kMultipleOf},
                            {"maximum", KeywordKind::kMaximum},
                            {"exclusiveMaximum", KeywordKind::kExclusiveMaximum},
                            {"minimum", KeywordKind::kMinimum},
                            {"exclusiveMinimum", KeywordKind::kExclusiveMinimum},
                            {"maxLength", KeywordKind::kMaxLength},
                            {"minLength", KeywordKind::kMinLength},
                            {"maxItems", KeywordKind::kMaxItems},
                            {"minItems", KeywordKind::kMinItems},
                            {"uniqueItems", KeywordKind::kUniqueItems},
                            {"maxProperties", KeywordKind::kMaxProperties},
                            {"minProperties", KeywordKind::kMinProperties},
                            {"required", KeywordKind::kRequired}};
constexpr Name kOneSchema[] = {{"propertyNames", KeywordKind::kPropertyNames}, {"not", KeywordKind::kNot}};
constexpr Name kSchemaList[] = {
    {"allOf", KeywordKind::kAllOf}, {"anyOf", KeywordKind::kAnyOf}, {"oneOf", KeywordKind::kOneOf}};
constexpr Name kSchemaMap[] = {{"properties", KeywordKind::kProperties},
                               {"patternProperties", KeywordKind::kPatternProperties},
                               {"dependentSchemas", KeywordKind::kDependentSchemas}};
constexpr std::string_view kAnnotations[] = {
    "title",   "description", "default",  "examples",  "$comment",         "$schema",
    "$anchor", "deprecated",  "readOnly", "writeOnly", "contentMediaType", "contentEncoding"};
// Read together with another keyword.
constexpr std::string_view kCompanions[] = {"then", "else", "minContains", "maxContains", "additionalItems"};
constexpr std::string_view kNotDone[] = {"unevaluatedProperties", "unevaluatedItems", "$dynamicRef",
                                         "$dynamicAnchor",        "$recursiveRef",    "$recursiveAnchor",
                                         "contentSchema",         "$vocabulary"};

template <std::size_t N>
const Name* find_name(const Name (&table)[N], std::string_view name) {
  for (const Name& entry : table) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

template <std::size_t N>
bool is_in(const std::string_view (&table)[N], std::string_view name) {
  return std::find(std::begin(table), std::end(table), name) != std::end(table);
}

}  // namespace

std::string_view with_article(const Value& v) {
  switch (v.type()) {
    case Value::Type::kNull:
      return "null";
    case Value::Type::kBool:
      return "a boolean";
    case Value::Type::kInteger:
      return "an integer";
    case Value::Type::kNumber:
      return "a number";
    case Value::Type::kString:
      return "a string";
    case Value::Type::kArray:
      return "an array";
    case Value::Type::kObject:
      return "an object";
  }
  return "null";
}

Result<Schema> Schema::compile(const Value& schema, const SchemaOptions& options) {
  CONSORT_TRY(compiled, SchemaCompiler(schema, options).compile());
  Schema made;
  made.compiled_ = std::move(compiled);
  return made;
}

Result<std::shared_ptr<const Schema::Compiled>> SchemaCompiler::compile() {
  find_anchors(root_, "", 0);
  made_->root = schema_at(root_, "");
  if (made_->root) {
    std::map<NodePtr, int> state;
    for (const Node& node : made_->nodes) {
      if (!error_.what.empty() || comes_back(&node, state)) break;
    }
  }
  if (!error_.what.empty()) return tl::unexpected<Error>(std::move(error_));
  return std::shared_ptr<const Schema::Compiled>(made_);
}

bool SchemaCompiler::refuse(std::string what, std::string pointer, ErrorKind kind) {
  if (error_.what.empty())
    error_ = Error{kind, std::move(what), "schema " + (pointer.empty() ? "root" : pointer), {}};
  return false;
}

// Schemas are compiled once per place, so that recursion through $ref ends.
const Schema::Node* SchemaCompiler::schema_at(const Value& schema, const std::string& pointer) {
  if (const auto known = by_pointer_.find(pointer); known != by_pointer_.end()) return known->second;
  if (!schema.is_object() && !schema.is_bool()) {
    refuse("a schema must be an object or a boolean, is " + std::string(with_article(schema)), pointer);
    return nullptr;
  }
  if (made_->nodes.size() >= kMaxSchemaNodes || depth_ >= kMaxSchemaDepth) {
    refuse("the schema is too large or nested too deeply", pointer);
    return nullptr;
  }
  Node& node = made_->nodes.emplace_back();
  node.pointer = pointer;
  by_pointer_[pointer] = &node;
  if (schema.is_bool()) {
    node.nothing = !schema.as_bool();
    return &node;
  }
  ++depth_;
  const bool done = keywords(node, schema);
  --depth_;
  return done ? &node : nullptr;
}

bool SchemaCompiler::keywords(Node& node, const Value& schema) {
  for (const auto& [name, argument] : schema.as_object()) {
    if (!keyword(node, schema, name, argument)) return false;
  }
  return true;
}

bool SchemaCompiler::keyword(Node& node, const Value& schema, const std::string& name,
                             const Value& argument) {
  if (const Name* known = find_name(kSimple, name)) return simple(node, known->kind, name, argument);
  if (const Name* known = find_name(kOneSchema, name)) return one_schema(node, known->kind, name, argument);
  if (const Name* known = find_name(kSchemaList, name)) return schema_list(node, known->kind, name, argument);
  if (const Name* known = find_name(kSchemaMap, name)) return schema_map(node, known->kind, name, argument);
  if (name == "pattern") return pattern(node, name, argument);
  if (name == "items" || name == "prefixItems") return items(node, schema, name, argument);
  if (name == "contains") return contains(node, schema, argument);
  if (name == "additionalProperties") return additional_properties(node, schema, argument);
  if (name == "if") return condition(node, schema, argument);
  if (name == "dependentRequired") return dependent_required(node, argument, name);
  if (name == "dependencies") return dependencies(node, argument);
  if (name == "$ref") return reference(node, argument);
  if (name == "$defs" || name == "definitions") return definitions(node, name, argument);
  if (is_in(kAnnotations, name) || is_in(kCompanions, name) || name.starts_with("x-")) return true;
  const std::string pointer = pointer_join(node.pointer, name);
  if (is_in(kNotDone, name))
    return refuse("the keyword '" + name + "' is not supported", pointer, ErrorKind::kUnsupported);
  if (!options_.refuse_unknown_keywords || (name == "$id" && node.pointer.empty())) return true;
  if (name == "format") {
    return refuse("'format' is not checked here: say it with 'pattern'", pointer, ErrorKind::kUnsupported);
  }
  return refuse("unknown keyword '" + name + "'", pointer);
}

void SchemaCompiler::find_anchors(const Value& v, const std::string& pointer, int depth) {
  if (depth > kMaxSchemaDepth) return;
  if (v.is_object()) {
    for (const auto& [key, item] : v.as_object()) {
      if (key == "$anchor" && item.is_string()) anchors_.emplace(item.as_string(), pointer);
      if (key != "enum" && key != "const") find_anchors(item, pointer_join(pointer, key), depth + 1);
    }
  } else if (v.is_array()) {
    for (std::size_t i = 0; i < v.size(); ++i)
      find_anchors(v.as_array()[i], pointer_join(pointer, i), depth + 1);
  }
}

// A schema that applies itself to the same instance would never end.
bool SchemaCompiler::comes_back(NodePtr node, std::map<NodePtr, int>& state) {
  int& mark = state[node];  // 1: being walked, 2: done
  if (mark == 2) return false;
  if (mark == 1) {
    refuse("the schema refers to itself without end", node->pointer);
    return true;
  }
  mark = 1;
  for (const Keyword& keyword : node->keywords) {
    switch (keyword.kind) {
      case KeywordKind::kAllOf:
      case KeywordKind::kAnyOf:
      case KeywordKind::kOneOf:
      case KeywordKind::kNot:
      case KeywordKind::kIf:
      case KeywordKind::kRef:
      case KeywordKind::kDependentSchemas:
        for (const NodePtr inner : keyword.schemas) {
          if (inner && comes_back(inner, state)) return true;
        }
        break;
      default:
        break;
    }
  }
  state[node] = 2;
  return false;
}

}  // namespace consort
