// The compiled form of a jq program: a tree of nodes in one arena. Private to this room.
//
// Two kinds of operations. Strict ones (index, arithmetic, strings, objects, most builtins) take one value of
// each operand and give one value: they run over the cartesian product of their operands' outputs, the first
// operand in `operands` being the outermost loop. The others (pipe, comma, if, reduce, ...) decide themselves
// what to run.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/expression/expression.h"
#include "scheduler/expression/regex.h"
#include "scheduler/value/value.h"

namespace consort::jq {

enum class Op : std::uint8_t {
  // strict
  kIdentity,
  kLiteral,
  kVariable,
  kIndex,   // operands: key, target
  kSlice,   // operands: from, to, target (absent bounds are null literals)
  kNegate,  // operand
  kAdd,     // operands of all binary operators: right, left
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kText,    // interpolated string; operands: the inserted parts, last first
  kFormat,  // @json as a filter
  kObject,  // operands: key, value, key, value, ...
  kCall,    // operands: arguments of a builtin
  // the rest
  kPipe,
  kComma,
  kIterate,  // operand: target
  kAnd,
  kOr,
  kAlternative,
  kIf,      // condition, then, else
  kTry,     // body [, handler]
  kReduce,  // source, initial, update; slot
  kBind,    // source, body; slot
  kArray,   // [body]
  kEmpty,
  kAny,  // body: true when any output is
  kAll,
  kFirst,  // body
  kLast,   // body
  kNth,    // n, body
  kRange,  // from, upto, by
  kDel,    // path expression
};

enum class Format : std::uint8_t { kText, kJson, kUri, kBase64 };

struct Node;
class Evaluation;
using BuiltinFunction = bool (*)(Evaluation&, const Node&, const Value& input, const Value* arguments,
                                 Value& out);

struct Node {
  Op op = Op::kIdentity;
  Format format = Format::kText;
  bool single = false;                 // always exactly one output (or an error)
  std::uint32_t position = 0;          // byte offset in the text the program was compiled from
  std::uint32_t height = 1;            // of the tree below
  int slot = -1;                       // kVariable, kBind, kReduce
  Value literal;                       // kLiteral
  BuiltinFunction function = nullptr;  // kCall
  std::vector<const Node*> operands;
  std::vector<std::string> pieces;     // kText: one more than operands, in order of the text
  std::shared_ptr<const Regex> regex;  // kCall of `test` with a constant pattern
};

struct ProgramTree {
  std::deque<Node> nodes;
  const Node* root = nullptr;
  std::vector<std::pair<std::string, int>> free;  // variables the scope must give, with their slots
  int slots = 0;
  std::string text;  // for positions in messages
};

// "line L, column C of '...'" for a byte offset in the text.
std::string place(std::string_view text, std::size_t offset);

}  // namespace consort::jq
