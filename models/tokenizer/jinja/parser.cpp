#include <charconv>

#include "models/tokenizer/jinja/ast.h"
#include "models/tokenizer/jinja/expression_parser.h"

namespace consort::jinja {
namespace {

constexpr int kMaxDepth = 64;

class TemplateParser {
 public:
  explicit TemplateParser(std::string_view source) : chunks_(cut_template(source)) {}

  Body run() {
    collect_macros();
    Body body = block({}, 0);
    if (at_ < chunks_.size())
      throw ParseError("a closing tag has no opening one", chunks_[at_].line, chunks_[at_].column);
    return body;
  }

 private:
  // Macros may be called before the parser reaches their definition (inside another macro).
  void collect_macros() {
    for (const Chunk& chunk : chunks_) {
      if (chunk.kind != Chunk::Kind::kStatement) continue;
      const auto tokens = cut_tag(chunk);
      if (tokens.size() > 2 && tokens[0].text == "macro") macros_.push_back(tokens[1].text);
    }
  }

  static bool one_of(const std::string& word, std::initializer_list<const char*> ends) {
    for (const char* end : ends)
      if (word == end) return true;
    return false;
  }

  // Everything up to a statement whose first word is in `ends` (not consumed).
  Body block(std::initializer_list<const char*> ends, int depth) {
    if (depth > kMaxDepth)
      throw ParseError("blocks are nested too deeply", chunks_[at_].line, chunks_[at_].column);
    Body body;
    for (; at_ < chunks_.size();) {
      const Chunk& chunk = chunks_[at_];
      if (chunk.kind == Chunk::Kind::kText) {
        Node node;
        node.text = chunk.text;
        body.push_back(std::move(node));
        ++at_;
      } else if (chunk.kind == Chunk::Kind::kOutput) {
        ExpressionParser p(cut_tag(chunk), macros_);
        Node node;
        node.kind = NodeKind::kOutput;
        node.line = chunk.line;
        node.expr = p.expression();
        p.finish();
        body.push_back(std::move(node));
        ++at_;
      } else {
        ExpressionParser p(cut_tag(chunk), macros_);
        const std::string word = p.peek().text;
        if (one_of(word, ends)) return body;
        p.next();
        ++at_;
        statement(word, p, chunk, depth, body);
      }
    }
    return body;
  }

  // Consumes the closing statement `word`.
  void close(const char* word, const Chunk& open) {
    if (at_ >= chunks_.size())
      throw ParseError(std::string("'") + word + "' is missing", open.line, open.column);
    ExpressionParser p(cut_tag(chunks_[at_]), macros_);
    p.expect_name(word);
    if (std::string_view(word) == "endmacro" && p.peek().kind == Token::Kind::kName) p.next();
    p.finish();
    ++at_;
  }

  void statement(const std::string& word, ExpressionParser& p, const Chunk& chunk, int depth, Body& body) {
    Node node;
    node.line = chunk.line;
    if (word == "if") {
      if_statement(p, chunk, depth, node);
    } else if (word == "for") {
      for_statement(p, chunk, depth, node);
    } else if (word == "set") {
      set_statement(p, chunk, depth, node);
    } else if (word == "macro") {
      macro_statement(p, chunk, depth, node);
    } else if (word == "break" || word == "continue") {
      if (loops_ == 0) throw ParseError("'" + word + "' outside a loop", chunk.line, chunk.column);
      node.kind = word == "break" ? NodeKind::kBreak : NodeKind::kContinue;
      p.finish();
    } else if (word == "generation") {  // marks the assistant's text for training; prints its body
      p.finish();
      node.kind = NodeKind::kBlock;
      node.body = block({"endgeneration"}, depth + 1);
      close("endgeneration", chunk);
    } else {
      if (word.starts_with("end") || word == "else" || word == "elif")
        throw ParseError("'" + word + "' has no opening statement", chunk.line, chunk.column);
      throw ParseError("the statement '" + word + "' is not supported", chunk.line, chunk.column, true);
    }
    body.push_back(std::move(node));
  }

  void if_statement(ExpressionParser& p, const Chunk& chunk, int depth, Node& node) {
    node.kind = NodeKind::kIf;
    ExprPtr condition = p.expression();
    p.finish();
    for (;;) {
      Body body = block({"elif", "else", "endif"}, depth + 1);
      node.branches.emplace_back(std::move(condition), std::move(body));
      if (at_ >= chunks_.size()) throw ParseError("'endif' is missing", chunk.line, chunk.column);
      ExpressionParser next(cut_tag(chunks_[at_]), macros_);
      const bool is_elif = next.accept_name("elif"), is_else = !is_elif && next.accept_name("else");
      if (is_elif) {
        ++at_;
        condition = next.expression();
        next.finish();
        continue;
      }
      if (is_else) {
        next.finish();
        ++at_;
        node.branches.emplace_back(nullptr, block({"endif"}, depth + 1));
      }
      close("endif", chunk);
      return;
    }
  }

  void for_statement(ExpressionParser& p, const Chunk& chunk, int depth, Node& node) {
    node.kind = NodeKind::kFor;
    do node.targets.push_back(p.name());
    while (p.accept(","));
    p.expect_name("in");
    node.expr = p.or_expression();
    if (p.accept_name("if")) node.filter = p.expression();
    if (p.peek().text == "recursive")
      throw ParseError("'for ... recursive' is not supported", chunk.line, chunk.column, true);
    p.finish();
    ++loops_;
    node.body = block({"else", "endfor"}, depth + 1);
    --loops_;
    if (at_ < chunks_.size() && cut_tag(chunks_[at_]).front().text == "else") {
      ++at_;
      node.otherwise = block({"endfor"}, depth + 1);
    }
    close("endfor", chunk);
  }

  void set_statement(ExpressionParser& p, const Chunk& chunk, int depth, Node& node) {
    node.text = p.name();
    if (p.accept(".")) node.attribute = p.name();
    if (p.accept("=")) {
      node.kind = NodeKind::kSet;
      node.expr = p.expression();
      p.finish();
      return;
    }
    p.finish();
    node.kind = NodeKind::kSetBlock;
    node.body = block({"endset"}, depth + 1);
    close("endset", chunk);
  }

  void macro_statement(ExpressionParser& p, const Chunk& chunk, int depth, Node& node) {
    node.kind = NodeKind::kMacro;
    node.text = p.name();
    p.expect("(");
    while (!p.accept(")")) {
      node.targets.push_back(p.name());
      node.defaults.push_back(p.accept("=") ? p.expression() : nullptr);
      if (!p.accept(",")) {
        p.expect(")");
        break;
      }
    }
    p.finish();
    const int loops = std::exchange(loops_, 0);
    node.body = block({"endmacro"}, depth + 1);
    loops_ = loops;
    close("endmacro", chunk);
  }

  std::vector<Chunk> chunks_;
  std::vector<std::string> macros_;
  std::size_t at_ = 0;
  int loops_ = 0;
};

}  // namespace

Body parse_template(std::string_view source) {
  std::string text;  // every line break counts as one newline, as in the reference
  text.reserve(source.size());
  for (std::size_t at = 0; at < source.size(); ++at) {
    if (source[at] == '\r' && source.substr(at, 2) == "\r\n") ++at;
    text += source[at] == '\r' ? '\n' : source[at];
  }
  return TemplateParser(text).run();
}

}  // namespace consort::jinja
