// Terms: what stands between operators.
#include <algorithm>
#include <charconv>

#include "scheduler/expression/parser.h"
#include "scheduler/expression/parser_state.h"
#include "scheduler/value/utf8.h"

namespace consort::jq {
namespace {

constexpr std::string_view kReserved[] = {"if",      "then",  "elif",   "else",    "end",    "as",
                                          "and",     "or",    "try",    "catch",   "reduce", "def",
                                          "foreach", "label", "import", "include", "__loc__"};

bool is_reserved(std::string_view word) {
  return std::find(std::begin(kReserved), std::end(kReserved), word) != std::end(kReserved);
}

bool find_format(std::string_view name, Format& format) {
  constexpr std::pair<std::string_view, Format> kFormats[] = {
      {"text", Format::kText}, {"json", Format::kJson}, {"uri", Format::kUri}, {"base64", Format::kBase64}};
  for (const auto& [known, value] : kFormats) {
    if (known == name) {
      format = value;
      return true;
    }
  }
  return false;
}

}  // namespace

const Node* Parser::postfix(bool bindings) {
  if (is_word("try")) return attempt();
  const Node* target = term();
  while (target) {
    const std::uint32_t position = token_.position;
    if (token_.kind == TokenKind::kField) {
      const Node* key = literal(position, Value(std::string(token_.text)));
      if (!advance()) return nullptr;
      target = index(position, target, key);
    } else if (is(".")) {
      if (!advance()) return nullptr;
      if (token_.kind == TokenKind::kQuote) {
        const Node* key = text(Format::kText);
        target = key ? index(position, target, key) : nullptr;
      } else if (!is("[")) {
        return unexpected("a field name after '.'");
      }
    } else if (is("[")) {
      target = bracket(target);
    } else if (is("?")) {
      if (!advance()) return nullptr;
      target = make(Op::kTry, position, {target});
    } else if (bindings && is_word("as")) {
      return binding(target);
    } else {
      break;
    }
  }
  return failed_ ? nullptr : target;
}

// [] [e] [from:to] [from:] [:to]
const Node* Parser::bracket(const Node* target) {
  const std::uint32_t position = token_.position;
  if (!advance()) return nullptr;
  if (take("]")) return failed_ ? nullptr : each(position, target);
  const Node *from = nullptr, *to = nullptr;
  if (is(":")) {
    from = literal(position, nullptr);
  } else {
    from = pipe();
    if (!from) return nullptr;
    if (is("]")) return advance() ? index(position, target, from) : nullptr;
  }
  if (!expect(":")) return nullptr;
  to = is("]") ? literal(position, nullptr) : pipe();
  if (!to || !expect("]")) return nullptr;
  return make(Op::kSlice, position, {from, to, target});
}

const Node* Parser::term() {
  const std::uint32_t position = token_.position;
  switch (token_.kind) {
    case TokenKind::kNumber: {
      const Node* node = literal(position, token_.value);
      return advance() ? node : nullptr;
    }
    case TokenKind::kQuote:
      return text(Format::kText);
    case TokenKind::kFormat:
      return format();
    case TokenKind::kField: {
      const Node* key = literal(position, Value(std::string(token_.text)));
      return advance() ? index(position, identity(position), key) : nullptr;
    }
    case TokenKind::kVariable:
      return variable();
    case TokenKind::kIdentifier:
      return word();
    default:
      break;
  }
  if (is("(")) {
    if (!advance()) return nullptr;
    const Node* inner = pipe();
    return inner && expect(")") ? inner : nullptr;
  }
  if (is("[")) return array();
  if (is("{")) return object();
  if (is(".")) {
    if (!advance()) return nullptr;
    if (token_.kind != TokenKind::kQuote) return identity(position);
    const Node* key = text(Format::kText);
    return key ? index(position, identity(position), key) : nullptr;
  }
  return unexpected("an expression");
}

const Node* Parser::word() {
  if (is_word("if")) return condition();
  if (is_word("reduce")) return reduce();
  if (!refuse_foreign()) return nullptr;
  if (is_reserved(token_.text)) return unexpected("an expression");
  const Token name = token_;
  if (!advance()) return nullptr;
  for (const auto& [text, value] :
       {std::pair<std::string_view, Value>{"null", nullptr}, {"true", true}, {"false", false}}) {
    if (name.text == text && !is("(")) return literal(name.position, value);
  }
  return call(name);
}

const Node* Parser::variable() {
  const std::string name(token_.text);
  const std::uint32_t position = token_.position;
  if (name == "ENV" || name == "__loc__" || name == "__prog_args") {
    return refuse("'$" + name + "' is not part of the expression language", position,
                  ErrorKind::kUnsupported);
  }
  int slot = -1;
  for (const auto& [bound, number] : scope_) {
    if (bound == name) slot = number;
  }
  for (const auto& [wanted, number] : tree_.free) {
    if (slot < 0 && wanted == name) slot = number;
  }
  if (slot < 0) {
    slot = new_slot();
    tree_.free.emplace_back(name, slot);
  }
  Node* node = make(Op::kVariable, position);
  if (!node || !advance()) return nullptr;
  node->slot = slot;
  return node;
}

const Node* Parser::array() {
  const std::uint32_t position = token_.position;
  if (!advance()) return nullptr;
  if (take("]")) return failed_ ? nullptr : make(Op::kArray, position);
  const Node* body = pipe();
  return body && expect("]") ? make(Op::kArray, position, {body}) : nullptr;
}

const Node* Parser::object() {
  const std::uint32_t position = token_.position;
  if (!advance()) return nullptr;
  std::vector<const Node*> operands;
  if (!is("}")) {
    do {
      if (!object_member(operands)) return nullptr;
    } while (take(","));
  }
  return !failed_ && expect("}") ? make(Op::kObject, position, std::move(operands)) : nullptr;
}

// name: v | "text": v | (e): v | name | "text" | $name
bool Parser::object_member(std::vector<const Node*>& operands) {
  const std::uint32_t position = token_.position;
  if (token_.kind == TokenKind::kVariable) {
    const std::string name(token_.text);
    const Node* value = variable();
    if (!value) return false;
    operands.push_back(literal(position, Value(name)));
    operands.push_back(value);
    return !failed_;
  }
  const bool computed = is("(");
  const Node* key = nullptr;
  if (computed) {
    if (!advance()) return false;
    key = pipe();
    if (!key || !expect(")")) return false;
  } else if (token_.kind == TokenKind::kIdentifier) {
    key = literal(position, Value(std::string(token_.text)));
    if (!advance()) return false;
  } else if (token_.kind == TokenKind::kQuote) {
    key = text(Format::kText);
  } else if (token_.kind == TokenKind::kFormat) {
    key = format();
  } else {
    unexpected("a key: a name, a string, a $variable or an expression in parentheses");
  }
  if (!key) return false;
  operands.push_back(key);
  if (!computed && (is(",") || is("}"))) {
    operands.push_back(index(position, identity(position), key));
    return !failed_;
  }
  if (!expect(":")) return false;
  const Node* value = pipe(false);
  operands.push_back(value);
  return value != nullptr;
}

const Node* Parser::format() {
  Format which = Format::kText;
  const Token name = token_;
  if (!find_format(name.text, which)) {
    return refuse("'@" + std::string(name.text) + "' is not a format of the expression language",
                  name.position, ErrorKind::kUnsupported);
  }
  if (!advance()) return nullptr;
  if (token_.kind == TokenKind::kQuote) return text(which);
  Node* node = make(Op::kFormat, name.position, {identity(name.position)});
  if (node) node->format = which;
  return node;
}

// Behind the opening quote; ends behind the closing one.
const Node* Parser::text(Format which) {
  const std::uint32_t position = token_.position;
  std::vector<std::string> pieces(1);
  std::vector<const Node*> inserted;
  while (true) {
    if (!text_piece(pieces.back())) return nullptr;
    const char stop = lexer_.source[lexer_.at - 1];
    if (stop == '"') break;
    const Node* part = advance() ? pipe() : nullptr;  // behind "\("
    if (!part) return nullptr;
    if (!is(")")) return unexpected("')'");
    // The reader stands behind ')': the text goes on there, so no token is read ahead.
    inserted.push_back(part);
    pieces.emplace_back();
  }
  if (!advance()) return nullptr;
  if (inserted.empty()) return literal(position, Value(std::move(pieces[0])));
  std::reverse(inserted.begin(), inserted.end());
  Node* node = make(Op::kText, position, std::move(inserted));
  if (!node) return nullptr;
  node->format = which;
  node->pieces = std::move(pieces);
  return node;
}

// Reads up to and including the closing quote or "\(".
bool Parser::text_piece(std::string& piece) {
  const std::string_view s = lexer_.source;
  while (true) {
    if (lexer_.at >= s.size()) {
      refuse("the expression ends inside a string", static_cast<std::uint32_t>(lexer_.at));
      return false;
    }
    const char c = s[lexer_.at++];
    if (c == '"') return true;
    if (c != '\\') {
      piece += c;
      continue;
    }
    if (lexer_.at < s.size() && s[lexer_.at] == '(') {
      ++lexer_.at;
      return true;
    }
    if (!text_escape(piece)) return false;
  }
}

// Behind the backslash. Unpaired surrogates become U+FFFD, as in jq.
bool Parser::text_escape(std::string& piece) {
  const std::string_view s = lexer_.source;
  const auto position = static_cast<std::uint32_t>(lexer_.at - 1);
  const auto unit = [&](std::size_t at, unsigned& out) {
    if (s.size() < at + 6 || s[at] != '\\' || s[at + 1] != 'u') return false;
    const char* begin = s.data() + at + 2;
    const auto [stop, code] = std::from_chars(begin, begin + 4, out, 16);
    return code == std::errc() && stop == begin + 4;
  };
  const char code = lexer_.at < s.size() ? s[lexer_.at] : '\0';
  constexpr std::string_view kCodes = "\"\\/bfnrt", kMeant = "\"\\/\b\f\n\r\t";
  if (const std::size_t known = kCodes.find(code); code != '\0' && known != std::string_view::npos) {
    piece += kMeant[known];
    ++lexer_.at;
    return true;
  }
  unsigned first = 0, second = 0;
  if (!unit(lexer_.at - 1, first)) {
    refuse("unknown escape in a string: use \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX or \\( )", position);
    return false;
  }
  lexer_.at += 5;
  char32_t c = first;
  if (first >= 0xD800 && first <= 0xDBFF && unit(lexer_.at, second) && second >= 0xDC00 && second <= 0xDFFF) {
    lexer_.at += 6;
    c = 0x10000 + ((first - 0xD800u) << 10) + (second - 0xDC00u);
  }
  utf8::append(piece, c);
  return true;
}

// if c then a (elif c then a)* (else b)? end; without else the input passes (jq 1.7)
const Node* Parser::condition() {
  const std::uint32_t position = token_.position;
  if (++nesting_ > kMaxNesting) return refuse("the expression is nested too deeply", position);
  if (!advance()) return nullptr;
  const Node* test = pipe();
  if (!test || !expect_word("then")) return nullptr;
  const Node* yes = pipe();
  if (!yes) return nullptr;
  const Node* no = nullptr;
  if (is_word("elif")) {
    no = condition();  // reads its own "end"
  } else {
    no = take_word("else") ? pipe() : identity(position);
    if (!no || !expect_word("end")) return nullptr;
  }
  --nesting_;
  return no ? make(Op::kIf, position, {test, yes, no}) : nullptr;
}

const Node* Parser::attempt() {
  const std::uint32_t position = token_.position;
  if (++nesting_ > kMaxNesting) return refuse("the expression is nested too deeply", position);
  if (!advance()) return nullptr;
  const Node* body = is("-") ? unary() : postfix(false);
  if (!body) return nullptr;
  const Node* node = nullptr;
  if (take_word("catch")) {
    const Node* handler = postfix(false);
    node = handler ? make(Op::kTry, position, {body, handler}) : nullptr;
  } else {
    node = make(Op::kTry, position, {body});
  }
  --nesting_;
  return failed_ ? nullptr : node;
}

}  // namespace consort::jq
