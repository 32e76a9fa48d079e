// The checked program of a template.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/tokenizer/jinja/value.h"

namespace consort::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Argument {
  std::string name;  // empty: by position
  ExprPtr value;
};

enum class ExprKind {
  kLiteral,
  kName,
  kList,
  kDict,
  kAttribute,
  kIndex,
  kSlice,
  kCall,
  kMethod,
  kFilter,
  kTest,
  kNot,
  kNegate,
  kBinary,
  kAnd,
  kOr,
  kConditional,
};

// Which fields are used depends on the kind; `name` is a variable, attribute, function, method, filter, test
// or operator.
struct Expr {
  ExprKind kind = ExprKind::kLiteral;
  int line = 0;
  std::string name;
  Value literal;
  ExprPtr object;              // attribute, index, slice, method, filter, test, unary; left of binary
  ExprPtr right;               // index, binary; else part of a conditional
  ExprPtr condition;           // conditional
  std::vector<ExprPtr> items;  // list; slice: start, stop, step (may be null)
  std::vector<std::pair<ExprPtr, ExprPtr>> members;  // dict
  std::vector<Argument> arguments;                   // call, method, filter, test
  bool negated = false;                              // `is not`
};

enum class NodeKind { kText, kOutput, kIf, kFor, kSet, kSetBlock, kMacro, kBreak, kContinue, kBlock };

struct Node;
using Body = std::vector<Node>;

struct Node {
  NodeKind kind = NodeKind::kText;
  int line = 0;
  std::string text;                                // text; name of a macro; variable of a set
  std::string attribute;                           // set of a namespace's attribute
  std::vector<std::string> targets;                // for; macro parameters; set with several targets
  ExprPtr expr;                                    // output, for's list, set's value
  ExprPtr filter;                                  // for ... if
  std::vector<std::pair<ExprPtr, Body>> branches;  // if, elif (else: null condition)
  std::vector<ExprPtr> defaults;                   // macro: one a parameter, may be null
  Body body, otherwise;
};

// Where a template is wrong, and whether it is only beyond this interpreter.
struct ParseError : std::runtime_error {
  ParseError(const std::string& what, int line, int column, bool unsupported = false)
      : std::runtime_error(what), line(line), column(column), unsupported(unsupported) {}
  int line, column;
  bool unsupported;
};

// Throws ParseError.
Body parse_template(std::string_view source);

bool known_filter(std::string_view name);
bool known_test(std::string_view name);
bool known_method(std::string_view name);
bool known_function(std::string_view name);

}  // namespace consort::jinja
