// The parser's class, shared by parser*.cpp.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "scheduler/expression/ast.h"
#include "scheduler/expression/lexer.h"

namespace consort::jq {

// Recursive descent over jq's grammar; nullptr means that error_ is set. Used once, by one thread.
class Parser {
 public:
  Parser(std::string_view text, std::size_t begin) : lexer_{text, begin} { tree_.text = std::string(text); }
  Result<ProgramTree> program(bool inside_template, std::size_t& end);

 private:
  using NodePtr = const Node*;
  struct Binding {
    int slot;
    NodePtr source;
  };

  // parser.cpp: operators, from the loosest to the tightest
  NodePtr pipe(bool commas = true);
  NodePtr comma();
  NodePtr alternative();
  NodePtr disjunction();
  NodePtr conjunction();
  NodePtr comparison();
  NodePtr sum();
  NodePtr product();
  NodePtr unary();

  // parser_terms.cpp
  NodePtr postfix(bool bindings = true);
  NodePtr bracket(NodePtr target);
  NodePtr term();
  NodePtr word();
  NodePtr variable();
  NodePtr array();
  NodePtr object();
  bool object_member(std::vector<NodePtr>& operands);
  NodePtr object_key(bool& shorthand_allowed, NodePtr& shorthand);
  NodePtr format();
  NodePtr text(Format format);
  bool text_piece(std::string& piece);
  bool text_escape(std::string& piece);
  NodePtr condition();
  NodePtr attempt();

  // parser_bindings.cpp
  NodePtr reduce();
  NodePtr binding(NodePtr source);
  bool pattern(NodePtr source, std::vector<Binding>& bindings);
  bool array_pattern(int slot, std::vector<Binding>& bindings);
  bool object_pattern(int slot, std::vector<Binding>& bindings);
  NodePtr bind_all(const std::vector<Binding>& bindings, std::size_t from, NodePtr body);

  // parser_calls.cpp
  NodePtr call(const Token& name);
  NodePtr special_call(const Token& name, const std::vector<NodePtr>& arguments);
  NodePtr keyed_call(const Token& name, NodePtr key);
  NodePtr strict_call(const Token& name, std::vector<NodePtr> arguments);
  NodePtr unknown_call(const Token& name, std::size_t arity);

  // nodes
  Node* make(Op op, std::uint32_t position, std::vector<NodePtr> operands = {});
  NodePtr literal(std::uint32_t position, Value v);
  NodePtr identity(std::uint32_t position) { return make(Op::kIdentity, position); }
  NodePtr index(std::uint32_t position, NodePtr target, NodePtr key) {
    return make(Op::kIndex, position, {key, target});
  }
  NodePtr each(std::uint32_t position, NodePtr target) { return make(Op::kIterate, position, {target}); }
  int declare(const std::string& name);
  int new_slot() { return tree_.slots++; }

  // tokens
  bool advance();
  bool is(std::string_view punctuation) const;
  bool is_word(std::string_view word) const;
  bool take(std::string_view punctuation);
  bool take_word(std::string_view word);
  bool expect(std::string_view punctuation);
  bool expect_word(std::string_view word);
  std::nullptr_t refuse(std::string what, std::uint32_t position, ErrorKind kind = ErrorKind::kInvalid);
  std::nullptr_t unexpected(std::string_view wanted);
  bool refuse_foreign();

  Lexer lexer_;
  Token token_;
  ProgramTree tree_;
  std::vector<std::pair<std::string, int>> scope_;  // bound variables, innermost last
  int nesting_ = 0;
  bool failed_ = false;
  Error error_;
};

}  // namespace consort::jq
