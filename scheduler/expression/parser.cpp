#include "scheduler/expression/parser.h"

#include <algorithm>

#include "scheduler/expression/parser_state.h"
#include "scheduler/value/utf8.h"

namespace consort::jq {
namespace {

// One output whatever comes in: known from the kind of node and its operands.
bool always_single(Op op, const std::vector<const Node*>& operands) {
  switch (op) {
    case Op::kComma:
    case Op::kIterate:
    case Op::kEmpty:
    case Op::kTry:
    case Op::kFirst:
    case Op::kNth:
    case Op::kRange:
      return false;
    case Op::kArray:
    case Op::kAny:
    case Op::kAll:
    case Op::kLast:
    case Op::kDel:
      return true;
    case Op::kReduce:
      return operands[1]->single;
    default:
      return std::all_of(operands.begin(), operands.end(), [](const Node* n) { return n->single; });
  }
}

std::string shown(std::string_view text) {
  constexpr std::size_t kShown = 60;
  if (text.size() <= kShown) return std::string(text);
  std::size_t cut = kShown;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return std::string(text.substr(0, cut)) + "...";
}

}  // namespace

std::string place(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n');
  const std::size_t start = text.rfind('\n', offset == 0 ? 0 : offset - 1);
  const std::size_t begin = start == std::string_view::npos || start >= offset ? 0 : start + 1;
  return "line " + std::to_string(line) + ", column " +
         std::to_string(utf8::length(text.substr(begin, offset - begin)) + 1) + " of '" + shown(text) + "'";
}

Result<ProgramTree> parse_program(std::string_view text, std::size_t begin, bool inside_template,
                                  std::size_t& end) {
  return Parser(text, begin).program(inside_template, end);
}

Result<ProgramTree> Parser::program(bool inside_template, std::size_t& end) {
  const Node* root = advance() ? pipe() : nullptr;
  if (root) {
    if (inside_template ? !is("}") : token_.kind != TokenKind::kEnd) {
      root = unexpected(inside_template ? "'}'" : "the end of the expression");
    }
    end = lexer_.at;
  }
  if (!root) return tl::unexpected<Error>(std::move(error_));
  tree_.root = root;
  return std::move(tree_);
}

const Node* Parser::pipe(bool commas) {
  if (++nesting_ > kMaxNesting) return refuse("the expression is nested too deeply", token_.position);
  const Node* left = commas ? comma() : alternative();
  const std::uint32_t position = token_.position;
  if (left && take("|")) {
    const Node* right = pipe(commas);
    left = right ? make(Op::kPipe, position, {left, right}) : nullptr;
  }
  --nesting_;
  return failed_ ? nullptr : left;
}

const Node* Parser::comma() {
  const Node* left = alternative();
  while (left && is(",")) {
    const std::uint32_t position = token_.position;
    const Node* right = advance() ? alternative() : nullptr;
    left = right ? make(Op::kComma, position, {left, right}) : nullptr;
  }
  return left;
}

const Node* Parser::alternative() {
  const Node* left = disjunction();
  const std::uint32_t position = token_.position;
  if (left && take("//")) {
    if (++nesting_ > kMaxNesting) return refuse("the expression is nested too deeply", position);
    const Node* right = alternative();
    --nesting_;
    return right ? make(Op::kAlternative, position, {left, right}) : nullptr;
  }
  if (left && !refuse_foreign()) return nullptr;
  return failed_ ? nullptr : left;
}

const Node* Parser::disjunction() {
  const Node* left = conjunction();
  while (left && is_word("or")) {
    const std::uint32_t position = token_.position;
    const Node* right = advance() ? conjunction() : nullptr;
    left = right ? make(Op::kOr, position, {left, right}) : nullptr;
  }
  return left;
}

const Node* Parser::conjunction() {
  const Node* left = comparison();
  while (left && is_word("and")) {
    const std::uint32_t position = token_.position;
    const Node* right = advance() ? comparison() : nullptr;
    left = right ? make(Op::kAnd, position, {left, right}) : nullptr;
  }
  return left;
}

namespace {

struct Operator {
  std::string_view text;
  Op op;
};
constexpr Operator kComparisons[] = {{"==", Op::kEqual},        {"!=", Op::kNotEqual}, {"<=", Op::kLessEqual},
                                     {">=", Op::kGreaterEqual}, {"<", Op::kLess},      {">", Op::kGreater}};
constexpr Operator kSums[] = {{"+", Op::kAdd}, {"-", Op::kSubtract}};
constexpr Operator kProducts[] = {{"*", Op::kMultiply}, {"/", Op::kDivide}, {"%", Op::kModulo}};

template <std::size_t N>
const Operator* find_operator(const Operator (&table)[N], const Token& token) {
  if (token.kind != TokenKind::kPunctuation) return nullptr;
  for (const Operator& entry : table) {
    if (entry.text == token.text) return &entry;
  }
  return nullptr;
}

}  // namespace

const Node* Parser::comparison() {
  const Node* left = sum();
  const Operator* found = left ? find_operator(kComparisons, token_) : nullptr;
  if (!found) return left;
  const std::uint32_t position = token_.position;
  const Node* right = advance() ? sum() : nullptr;
  if (!right) return nullptr;
  if (find_operator(kComparisons, token_)) {
    return refuse("comparisons do not chain: put one of them in parentheses", token_.position);
  }
  return make(found->op, position, {right, left});
}

const Node* Parser::sum() {
  const Node* left = product();
  while (left) {
    const Operator* found = find_operator(kSums, token_);
    if (!found) break;
    const std::uint32_t position = token_.position;
    const Node* right = advance() ? product() : nullptr;
    left = right ? make(found->op, position, {right, left}) : nullptr;
  }
  return left;
}

const Node* Parser::product() {
  const Node* left = unary();
  while (left) {
    const Operator* found = find_operator(kProducts, token_);
    if (!found) break;
    const std::uint32_t position = token_.position;
    const Node* right = advance() ? unary() : nullptr;
    left = right ? make(found->op, position, {right, left}) : nullptr;
  }
  return left;
}

const Node* Parser::unary() {
  const std::uint32_t position = token_.position;
  if (!is("-")) return postfix();
  if (!advance()) return nullptr;
  if (++nesting_ > kMaxNesting) return refuse("the expression is nested too deeply", position);
  const Node* operand = product();  // as jq: -1 * x is -(1 * x), -1 + x is (-1) + x
  --nesting_;
  if (!operand) return nullptr;
  if (operand->op == Op::kLiteral && operand->literal.is_integer() && operand->literal.as_integer() != 0) {
    return literal(position,
                   Value(-operand->literal.as_integer()));  // a literal is never below 0, so no overflow
  }
  return make(Op::kNegate, position, {operand});
}

Node* Parser::make(Op op, std::uint32_t position, std::vector<NodePtr> operands) {
  if (tree_.nodes.size() >= kMaxNodes) return refuse("the expression is too long", position);
  std::uint32_t height = 0;
  for (const Node* operand : operands) {
    if (!operand) return nullptr;
    height = std::max(height, operand->height);
  }
  if (height + 1 > kMaxTreeHeight) return refuse("the expression is nested too deeply", position);
  Node& node = tree_.nodes.emplace_back();
  node.op = op;
  node.position = position;
  node.height = height + 1;
  node.single = always_single(op, operands);
  node.operands = std::move(operands);
  return &node;
}

const Node* Parser::literal(std::uint32_t position, Value v) {
  Node* node = make(Op::kLiteral, position);
  if (node) node->literal = std::move(v);
  return node;
}

int Parser::declare(const std::string& name) {
  const int slot = new_slot();
  scope_.emplace_back(name, slot);
  return slot;
}

bool Parser::advance() {
  if (failed_) return false;
  std::uint32_t position = 0;
  auto token = lexer_.next(position);
  if (!token) {
    refuse(token.error().what, position);
    return false;
  }
  token_ = std::move(*token);
  return true;
}

bool Parser::is(std::string_view punctuation) const {
  return token_.kind == TokenKind::kPunctuation && token_.text == punctuation;
}
bool Parser::is_word(std::string_view word) const {
  return token_.kind == TokenKind::kIdentifier && token_.text == word;
}
bool Parser::take(std::string_view punctuation) {
  return is(punctuation) && advance();
}
bool Parser::take_word(std::string_view word) {
  return is_word(word) && advance();
}

bool Parser::expect(std::string_view punctuation) {
  if (is(punctuation)) return advance();
  unexpected("'" + std::string(punctuation) + "'");
  return false;
}
bool Parser::expect_word(std::string_view word) {
  if (is_word(word)) return advance();
  unexpected("'" + std::string(word) + "'");
  return false;
}

std::nullptr_t Parser::refuse(std::string what, std::uint32_t position, ErrorKind kind) {
  if (!failed_) {
    failed_ = true;
    error_ = Error{kind, std::move(what), place(tree_.text, position), {}};
  }
  return nullptr;
}

std::nullptr_t Parser::unexpected(std::string_view wanted) {
  if (failed_ || !refuse_foreign()) return nullptr;
  if (token_.kind == TokenKind::kEnd) {
    return refuse("the expression ends early: expected " + std::string(wanted), token_.position);
  }
  const std::string_view found = token_.kind == TokenKind::kQuote
                                     ? std::string_view("a string")
                                     : lexer_.source.substr(token_.position, lexer_.at - token_.position);
  return refuse("unexpected '" + std::string(found) + "': expected " + std::string(wanted), token_.position);
}

// Parts of jq that this language leaves out are refused by their names.
bool Parser::refuse_foreign() {
  constexpr std::string_view kOperators[] = {
      "=", "|=", "+=", "-=", "*=", "/=", "%=", "//=", "?//", "?//=", ".."};
  constexpr std::string_view kWords[] = {"def", "foreach", "label", "import", "include", "break"};
  const bool foreign =
      (token_.kind == TokenKind::kPunctuation &&
       std::find(std::begin(kOperators), std::end(kOperators), token_.text) != std::end(kOperators)) ||
      (token_.kind == TokenKind::kIdentifier &&
       std::find(std::begin(kWords), std::end(kWords), token_.text) != std::end(kWords));
  if (!foreign) return true;
  refuse("'" + std::string(token_.text) + "' is not part of the expression language", token_.position,
         ErrorKind::kUnsupported);
  return false;
}

}  // namespace consort::jq
