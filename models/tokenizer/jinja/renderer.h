// Runs a template's program within a step and an output limit.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/tokenizer/jinja/ast.h"

namespace consort::jinja {

// A template that runs longer, copies more, writes more or calls itself deeper is stopped (RenderLimit).
inline constexpr std::int64_t kMaxSteps = 2'000'000;
inline constexpr std::int64_t kMaxWorkBytes = 256ll << 20;
inline constexpr std::size_t kMaxOutputBytes = 64u << 20;
inline constexpr int kMaxCallDepth = 1500;  // of nested nodes and expressions; about 1 MB of stack

using Arguments = std::vector<std::pair<std::string, Value>>;  // name (empty: by position), value

class Renderer {
 public:
  explicit Renderer(Dict globals);
  Text render(const Body& body);  // throws RenderError, RenderLimit

 private:
  enum class Flow { kNext, kBreak, kContinue };
  using Scope = std::map<std::string, Value, std::less<>>;
  Flow run(const Body& body, Text& out);
  Flow run(const Node& node, Text& out);
  Flow run_for(const Node& node, Text& out);
  void assign(const Node& node, Value value);
  void write(Text& out, const Text& text);
  Value evaluate(const Expr& e);
  Value lookup(const std::string& name) const;
  Value call(const Expr& e);
  Value call_macro(const Node& macro, const Arguments& arguments);
  Arguments evaluate_arguments(const Expr& e);
  void step();

  // Counts how deeply run() and evaluate() are nested.
  struct Deeper {
    explicit Deeper(int& depth) : depth(depth) {
      if (++depth > kMaxCallDepth) throw RenderLimit("the template calls itself too deeply");
    }
    ~Deeper() { --depth; }
    int& depth;
  };

  std::vector<Scope> scopes_;
  std::map<std::string, const Node*, std::less<>> macros_;
  std::int64_t steps_ = 0;
  int depth_ = 0;
};

// Pieces of evaluate(), in builtins.cpp and operators.cpp. All throw RenderError.
Value apply_filter(const std::string& name, const Value& object, const Arguments& arguments);
bool apply_test(const std::string& name, const Value& object, const Arguments& arguments);
Value call_method(const std::string& name, const Value& object, const Arguments& arguments);
Value call_function(const std::string& name, const Arguments& arguments);
Value apply_binary(const std::string& op, const Value& left, const Value& right);
Value attribute_of(const Value& object, const std::string& name);
Value item_of(const Value& object, const Value& index);
Value slice_of(const Value& object, const Value& start, const Value& stop, const Value& step);
List items_of(const Value& v);  // what a loop runs over

}  // namespace consort::jinja
