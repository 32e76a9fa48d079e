#include "models/tokenizer/jinja/expression_parser.h"

#include <algorithm>
#include <cstdlib>

namespace consort::jinja {
namespace {

constexpr int kMaxDepth = 100;
// Of one tag; a chain of operators nests as deeply as it is long. Real templates stay below 100.
constexpr int kMaxNodes = 800;

bool any_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

const Token& ExpressionParser::peek(std::size_t ahead) const {
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

Token ExpressionParser::next() {
  Token token = peek();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

void ExpressionParser::wrong(const std::string& what, bool unsupported) const {
  throw ParseError(what, peek().line, peek().column, unsupported);
}

bool ExpressionParser::accept(std::string_view op) {
  if (peek().kind != Token::Kind::kOperator || peek().text != op) return false;
  ++at_;
  return true;
}

bool ExpressionParser::accept_name(std::string_view word) {
  if (peek().kind != Token::Kind::kName || peek().text != word) return false;
  ++at_;
  return true;
}

void ExpressionParser::expect(std::string_view op) {
  if (!accept(op)) wrong("expected '" + std::string(op) + "', found '" + peek().text + "'");
}

void ExpressionParser::expect_name(std::string_view word) {
  if (!accept_name(word)) wrong("expected '" + std::string(word) + "', found '" + peek().text + "'");
}

std::string ExpressionParser::name() {
  if (peek().kind != Token::Kind::kName) wrong("expected a name, found '" + peek().text + "'");
  return next().text;
}

void ExpressionParser::finish() {
  if (peek().kind != Token::Kind::kEnd) wrong("unexpected '" + peek().text + "'");
}

ExprPtr ExpressionParser::make(ExprKind kind, std::string name) {
  if (++nodes_ > kMaxNodes) wrong("the expression is too long", true);
  auto e = std::make_unique<Expr>();
  e->kind = kind;
  e->line = peek().line;
  e->name = std::move(name);
  return e;
}

ExprPtr ExpressionParser::binary(std::string op, ExprPtr left, ExprPtr right) {
  auto e = make(ExprKind::kBinary, std::move(op));
  e->object = std::move(left);
  e->right = std::move(right);
  return e;
}

ExprPtr ExpressionParser::expression() {
  if (++depth_ > kMaxDepth) wrong("the expression is nested too deeply");
  ExprPtr value = or_expression();
  while (accept_name("if")) {
    auto e = make(ExprKind::kConditional);
    e->condition = or_expression();
    e->object = std::move(value);
    if (accept_name("else")) e->right = expression();
    value = std::move(e);
  }
  --depth_;
  return value;
}

ExprPtr ExpressionParser::or_expression() {
  ExprPtr left = and_expression();
  while (accept_name("or")) {
    auto e = make(ExprKind::kOr);
    e->object = std::move(left);
    e->right = and_expression();
    left = std::move(e);
  }
  return left;
}

ExprPtr ExpressionParser::and_expression() {
  ExprPtr left = not_expression();
  while (accept_name("and")) {
    auto e = make(ExprKind::kAnd);
    e->object = std::move(left);
    e->right = not_expression();
    left = std::move(e);
  }
  return left;
}

ExprPtr ExpressionParser::not_expression() {
  if (!accept_name("not")) return comparison();
  if (++depth_ > kMaxDepth) wrong("the expression is nested too deeply");
  auto e = make(ExprKind::kNot);
  e->object = not_expression();
  --depth_;
  return e;
}

ExprPtr ExpressionParser::comparison() {
  ExprPtr left = additive();
  for (bool compared = false;; compared = true) {
    const Token& token = peek();
    std::string op;
    if (token.kind == Token::Kind::kOperator && any_of(token.text, {"==", "!=", "<", "<=", ">", ">="})) {
      op = token.text;
    } else if (token.kind == Token::Kind::kName && token.text == "in") {
      op = "in";
    } else if (token.kind == Token::Kind::kName && token.text == "not" && peek(1).text == "in") {
      op = "not in";
    } else {
      return left;
    }
    if (compared) wrong("a chain of comparisons is not supported", true);
    at_ += op == "not in" ? 2 : 1;
    left = binary(std::move(op), std::move(left), additive());
  }
}

ExprPtr ExpressionParser::additive() {
  ExprPtr left = concatenation();
  while (peek().kind == Token::Kind::kOperator && any_of(peek().text, {"+", "-"})) {
    std::string op = next().text;
    left = binary(std::move(op), std::move(left), concatenation());
  }
  return left;
}

ExprPtr ExpressionParser::concatenation() {
  ExprPtr left = multiplicative();
  while (accept("~")) left = binary("~", std::move(left), multiplicative());
  return left;
}

ExprPtr ExpressionParser::multiplicative() {
  ExprPtr left = unary();
  while (peek().kind == Token::Kind::kOperator && any_of(peek().text, {"*", "/", "//", "%"})) {
    std::string op = next().text;
    left = binary(std::move(op), std::move(left), unary());
  }
  if (peek().text == "**" && peek().kind == Token::Kind::kOperator)
    wrong("the operator '**' is not supported", true);
  return left;
}

// A sign binds tighter than filters and tests: -1|abs is 1.
ExprPtr ExpressionParser::unary() {
  return filters(signed_value());
}

ExprPtr ExpressionParser::signed_value() {
  const bool minus = peek().kind == Token::Kind::kOperator && peek().text == "-";
  if (!minus && !(peek().kind == Token::Kind::kOperator && peek().text == "+")) return postfix(primary());
  if (++depth_ > kMaxDepth) wrong("the expression is nested too deeply");
  next();
  ExprPtr e = signed_value();
  --depth_;
  if (!minus) return e;
  auto negated = make(ExprKind::kNegate);
  negated->object = std::move(e);
  return negated;
}

ExprPtr ExpressionParser::filters(ExprPtr e) {
  for (;;) {
    if (accept("|")) {
      e = filter(std::move(e));
    } else if (accept_name("is")) {
      e = test(std::move(e));
    } else if (peek().text == "." && peek().kind == Token::Kind::kOperator) {
      wrong("an attribute behind a filter needs brackets");
    } else {
      return e;
    }
  }
}

ExprPtr ExpressionParser::postfix(ExprPtr e) {
  for (;;) {
    if (accept(".")) {
      e = attribute(std::move(e));
    } else if (accept("[")) {
      e = subscript(std::move(e));
    } else if (peek().text == "(" && peek().kind == Token::Kind::kOperator) {
      wrong("only functions, macros and methods can be called", true);
    } else {
      return e;
    }
  }
}

void ExpressionParser::call_arguments(Expr& e) {
  while (!accept(")")) {
    Argument argument;
    if (peek().kind == Token::Kind::kName && peek(1).text == "=" && peek(1).kind == Token::Kind::kOperator) {
      argument.name = next().text;
      ++at_;
    }
    argument.value = expression();
    e.arguments.push_back(std::move(argument));
    if (!accept(",")) {
      expect(")");
      return;
    }
  }
}

ExprPtr ExpressionParser::attribute(ExprPtr object) {
  const Token token = next();
  if (token.kind != Token::Kind::kName && token.kind != Token::Kind::kInteger)
    wrong("expected an attribute's name");
  if (!accept("(")) {
    auto e = make(ExprKind::kAttribute, token.text);
    e->object = std::move(object);
    return e;
  }
  if (!known_method(token.text)) wrong("the method '" + token.text + "' is not supported", true);
  auto e = make(ExprKind::kMethod, token.text);
  e->object = std::move(object);
  call_arguments(*e);
  return e;
}

ExprPtr ExpressionParser::subscript(ExprPtr object) {
  ExprPtr start = peek().text == ":" ? nullptr : expression();
  if (!accept(":")) {
    expect("]");
    auto e = make(ExprKind::kIndex);
    e->object = std::move(object);
    e->right = std::move(start);
    return e;
  }
  auto e = make(ExprKind::kSlice);
  e->object = std::move(object);
  e->items.push_back(std::move(start));
  e->items.push_back(peek().text == ":" || peek().text == "]" ? nullptr : expression());
  e->items.push_back(accept(":") && peek().text != "]" ? expression() : nullptr);
  expect("]");
  return e;
}

ExprPtr ExpressionParser::filter(ExprPtr object) {
  std::string word = name();
  if (!known_filter(word)) wrong("the filter '" + word + "' is not supported", true);
  auto e = make(ExprKind::kFilter, std::move(word));
  e->object = std::move(object);
  if (accept("(")) call_arguments(*e);
  return e;
}

ExprPtr ExpressionParser::test(ExprPtr object) {
  const bool negated = accept_name("not");
  std::string word = name();
  if (!known_test(word)) wrong("the test '" + word + "' is not supported", true);
  auto e = make(ExprKind::kTest, std::move(word));
  e->object = std::move(object);
  e->negated = negated;
  if (accept("(")) {
    call_arguments(*e);
  } else if (any_of(e->name, {"eq", "equalto", "ne", "in", "divisibleby", "lt", "gt", "le", "ge"})) {
    Argument argument;
    argument.value = postfix(primary());
    e->arguments.push_back(std::move(argument));
  }
  return e;
}

ExprPtr ExpressionParser::primary() {
  const Token token = next();
  auto e = make(ExprKind::kLiteral);
  e->line = token.line;
  switch (token.kind) {
    case Token::Kind::kString: {
      std::string text = token.text;
      while (peek().kind == Token::Kind::kString) text += next().text;  // adjacent texts join
      e->literal = text_value(std::move(text));
      return e;
    }
    case Token::Kind::kInteger:
      e->literal = static_cast<std::int64_t>(std::strtoll(token.text.c_str(), nullptr, 10));
      return e;
    case Token::Kind::kFloat:
      e->literal = std::strtod(token.text.c_str(), nullptr);
      return e;
    case Token::Kind::kName:
      return named(token.text, std::move(e));
    default:
      break;
  }
  if (token.text == "(") return in_brackets(std::move(e));
  if (token.text == "[") {
    e->kind = ExprKind::kList;
    while (!accept("]")) {
      e->items.push_back(expression());
      if (accept(",")) continue;
      expect("]");
      break;
    }
    return e;
  }
  if (token.text == "{") return dict(std::move(e));
  const bool missing = token.kind == Token::Kind::kEnd;
  throw ParseError(missing ? "an expression is missing" : "unexpected '" + token.text + "'", token.line,
                   token.column);
}

// A constant, a variable, or a call of a function or macro.
ExprPtr ExpressionParser::named(const std::string& word, ExprPtr e) {
  if (any_of(word, {"true", "True"})) {
    e->literal = true;
  } else if (any_of(word, {"false", "False"})) {
    e->literal = false;
  } else if (any_of(word, {"none", "None"})) {
    e->literal = None{};
  } else {
    e->kind = ExprKind::kName;
    e->name = word;
    if (!accept("(")) return e;
    const bool macro = std::find(macros_.begin(), macros_.end(), word) != macros_.end();
    if (!macro && !known_function(word)) wrong("the function '" + word + "' is not supported", true);
    e->kind = ExprKind::kCall;
    call_arguments(*e);
  }
  return e;
}

// After "(": an expression, or a tuple, which serves as a list.
ExprPtr ExpressionParser::in_brackets(ExprPtr e) {
  e->kind = ExprKind::kList;
  if (accept(")")) return e;
  ExprPtr first = expression();
  if (accept(")")) return first;
  e->items.push_back(std::move(first));
  while (accept(",") && !(peek().kind == Token::Kind::kOperator && peek().text == ")"))
    e->items.push_back(expression());
  expect(")");
  return e;
}

ExprPtr ExpressionParser::dict(ExprPtr e) {
  e->kind = ExprKind::kDict;
  while (!accept("}")) {
    ExprPtr key = expression();
    expect(":");
    e->members.emplace_back(std::move(key), expression());
    if (accept(",")) continue;
    expect("}");
    break;
  }
  return e;
}

}  // namespace consort::jinja
