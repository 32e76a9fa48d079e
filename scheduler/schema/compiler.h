// Schema text to nodes. Private to this room; used once, by one thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "scheduler/schema/schema_nodes.h"

namespace consort {

class SchemaCompiler {
 public:
  SchemaCompiler(const Value& root, const SchemaOptions& options) : root_(root), options_(options) {}
  Result<std::shared_ptr<const Schema::Compiled>> compile();

 private:
  using Node = Schema::Node;
  using NodePtr = const Node*;

  NodePtr schema_at(const Value& schema, const std::string& pointer);  // nullptr: error_ is set
  bool keywords(Node& node, const Value& schema);
  bool keyword(Node& node, const Value& schema, const std::string& name, const Value& argument);

  // compile_keywords.cpp: each adds at most one Keyword. false: error_ is set.
  bool simple(Node& node, KeywordKind kind, const std::string& name, const Value& argument);
  bool check_argument(KeywordKind kind, const Value& argument, const std::string& pointer);
  bool type_argument(const Value& argument, const std::string& pointer);
  bool string_list(const Value& argument, const std::string& pointer);
  bool pattern(Node& node, const std::string& name, const Value& argument);
  bool one_schema(Node& node, KeywordKind kind, const std::string& name, const Value& argument);
  bool schema_list(Node& node, KeywordKind kind, const std::string& name, const Value& argument);
  bool schema_map(Node& node, KeywordKind kind, const std::string& name, const Value& argument);
  bool definitions(const Node& node, const std::string& name, const Value& argument);
  bool items(Node& node, const Value& schema, const std::string& name, const Value& argument);
  bool contains(Node& node, const Value& schema, const Value& argument);
  bool additional_properties(Node& node, const Value& schema, const Value& argument);
  bool condition(Node& node, const Value& schema, const Value& argument);
  bool dependent_required(Node& node, const Value& argument, const std::string& name);
  bool dependencies(Node& node, const Value& argument);
  bool reference(Node& node, const Value& argument);
  bool count_of(const Value& argument, const std::string& pointer, std::size_t& count);
  bool compile_pattern(std::string_view text, const std::string& pointer, std::vector<Regex>& out);

  void find_anchors(const Value& v, const std::string& pointer, int depth);
  bool comes_back(NodePtr node, std::map<NodePtr, int>& state);
  bool refuse(std::string what, std::string pointer, ErrorKind kind = ErrorKind::kInvalid);

  const Value& root_;
  const SchemaOptions options_;
  std::shared_ptr<Schema::Compiled> made_ = std::make_shared<Schema::Compiled>();
  std::map<std::string, Node*> by_pointer_;
  std::map<std::string, std::string> anchors_;  // name -> pointer
  int depth_ = 0;
  Error error_;
};

}  // namespace consort
