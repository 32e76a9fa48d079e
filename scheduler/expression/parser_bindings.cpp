// `as` and `reduce`. Patterns are expanded into a chain of plain bindings: `e as [$a, {b: $c}] | body`
// becomes `e as $1 | $1[0] as $a | $1[1] as $2 | $2["b"] as $c | body`.
#include "scheduler/expression/parser.h"
#include "scheduler/expression/parser_state.h"

namespace consort::jq {

// Behind the source, in front of `as`.
const Node* Parser::binding(const Node* source) {
  if (!advance()) return nullptr;
  const std::size_t outer = scope_.size();
  std::vector<Binding> bindings;
  if (!pattern(source, bindings) || !expect("|")) return nullptr;
  const Node* body = bind_all(bindings, 0, pipe());
  scope_.resize(outer);
  return body;
}

const Node* Parser::bind_all(const std::vector<Binding>& bindings, std::size_t from, const Node* body) {
  for (std::size_t i = bindings.size(); i > from && body; --i) {
    Node* node = make(Op::kBind, body->position, {bindings[i - 1].source, body});
    if (node) node->slot = bindings[i - 1].slot;
    body = node;
  }
  return body;
}

bool Parser::pattern(const Node* source, std::vector<Binding>& bindings) {
  if (token_.kind == TokenKind::kVariable) {
    bindings.push_back({declare(std::string(token_.text)), source});
    return advance();
  }
  if (!is("[") && !is("{")) {
    unexpected("a $variable, [ or { after 'as'");
    return false;
  }
  if (++nesting_ > kMaxNesting) return refuse("the pattern is nested too deeply", token_.position) != nullptr;
  const int slot = new_slot();
  bindings.push_back({slot, source});
  const bool done = is("[") ? array_pattern(slot, bindings) : object_pattern(slot, bindings);
  --nesting_;
  return done;
}

bool Parser::array_pattern(int slot, std::vector<Binding>& bindings) {
  std::int64_t place = 0;
  do {
    if (!advance()) return false;
    const std::uint32_t position = token_.position;
    Node* whole = make(Op::kVariable, position);
    if (!whole) return false;
    whole->slot = slot;
    const Node* item = index(position, whole, literal(position, Value(place++)));
    if (!item || !pattern(item, bindings)) return false;
  } while (is(","));
  return expect("]");
}

// {$a}  {$a: pattern}  {name: pattern}  {"text": pattern}  {(e): pattern}
bool Parser::object_pattern(int slot, std::vector<Binding>& bindings) {
  do {
    if (!advance()) return false;
    const std::uint32_t position = token_.position;
    Node* whole = make(Op::kVariable, position);
    if (!whole) return false;
    whole->slot = slot;
    const Node* key = nullptr;
    bool bound = false;
    if (token_.kind == TokenKind::kVariable) {
      const std::string name(token_.text);
      key = literal(position, Value(name));
      const Node* member = key ? index(position, whole, key) : nullptr;
      if (!member || !advance()) return false;
      bindings.push_back({declare(name), member});
      bound = true;
    } else if (token_.kind == TokenKind::kIdentifier) {
      key = literal(position, Value(std::string(token_.text)));
      if (!advance()) return false;
    } else if (token_.kind == TokenKind::kQuote) {
      key = text(Format::kText);
    } else if (is("(")) {
      if (!advance()) return false;
      key = pipe();
      if (!key || !expect(")")) return false;
    } else {
      unexpected("a key of the pattern");
    }
    if (!key) return false;
    if (bound && !is(":")) continue;
    if (!expect(":")) return false;
    // The key is worked out on the value that is taken apart.
    const Node* member = make(Op::kPipe, position, {whole, index(position, identity(position), key)});
    if (!member || !pattern(member, bindings)) return false;
  } while (is(","));
  return expect("}");
}

// reduce source as pattern (initial; update)
const Node* Parser::reduce() {
  const std::uint32_t position = token_.position;
  if (!advance()) return nullptr;
  const Node* source = postfix(false);
  if (!source || !expect_word("as")) return nullptr;
  const std::size_t outer = scope_.size();
  std::vector<Binding> bindings;
  if (!pattern(source, bindings) || !expect("(")) return nullptr;
  std::vector<std::pair<std::string, int>> bound(scope_.begin() + static_cast<std::ptrdiff_t>(outer),
                                                 scope_.end());
  scope_.resize(outer);  // the initial value does not see the pattern's variables
  const Node* initial = pipe();
  if (!initial || !expect(";")) return nullptr;
  scope_.insert(scope_.end(), bound.begin(), bound.end());
  const Node* update = pipe();
  scope_.resize(outer);
  if (!update || !expect(")")) return nullptr;
  Node* node = make(Op::kReduce, position, {source, initial, bind_all(bindings, 1, update)});
  if (node) node->slot = bindings[0].slot;
  return node;
}

}  // namespace consort::jq
