// Expressions of one tag, by recursive descent in Jinja's order of precedence.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/jinja/ast.h"
#include "models/tokenizer/jinja/lexer.h"

namespace consort::jinja {

// Every function throws ParseError. Unknown functions, methods, filters and tests are found here.
class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, const std::vector<std::string>& macros)
      : tokens_(std::move(tokens)), macros_(macros) {}

  ExprPtr expression();     // with `a if b else c`
  ExprPtr or_expression();  // without it
  const Token& peek(std::size_t ahead = 0) const;
  Token next();
  bool accept(std::string_view op);
  bool accept_name(std::string_view word);
  void expect(std::string_view op);
  void expect_name(std::string_view word);
  std::string name();
  void finish();  // nothing may follow

 private:
  [[noreturn]] void wrong(const std::string& what, bool unsupported = false) const;
  ExprPtr make(ExprKind kind, std::string name = {});
  ExprPtr and_expression();
  ExprPtr not_expression();
  ExprPtr comparison();
  ExprPtr additive();
  ExprPtr concatenation();
  ExprPtr multiplicative();
  ExprPtr unary();
  ExprPtr signed_value();
  ExprPtr filters(ExprPtr e);
  ExprPtr postfix(ExprPtr e);
  ExprPtr primary();
  ExprPtr named(const std::string& word, ExprPtr e);
  ExprPtr in_brackets(ExprPtr e);
  ExprPtr dict(ExprPtr e);
  ExprPtr subscript(ExprPtr object);
  ExprPtr attribute(ExprPtr object);
  ExprPtr filter(ExprPtr object);
  ExprPtr test(ExprPtr object);
  ExprPtr binary(std::string op, ExprPtr left, ExprPtr right);
  void call_arguments(Expr& e);  // after "("

  std::vector<Token> tokens_;
  const std::vector<std::string>& macros_;
  std::size_t at_ = 0;
  int depth_ = 0, nodes_ = 0;
};

}  // namespace consort::jinja
