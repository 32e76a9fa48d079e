// Parts of Evaluation that several files instantiate.
#pragma once

#include <string_view>

#include "scheduler/expression/evaluation.h"

namespace consort::jq {

// Nested evaluations at one time; each takes a few hundred bytes of stack.
inline constexpr std::uint32_t kMaxDepth = 2000;

class Evaluation::Deeper {
 public:
  Deeper(Evaluation& evaluation, const Node& node) : evaluation_(evaluation) {
    if (++evaluation_.depth_ > kMaxDepth) {
      allowed_ = evaluation_.raise_fatal(node, ErrorKind::kBudget, "the expression is nested too deeply");
    }
  }
  ~Deeper() { --evaluation_.depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  bool allowed() const { return allowed_; }

 private:
  Evaluation& evaluation_;
  bool allowed_ = true;
};

// Runs `then` for every combination of the operands' outputs, the first operand outermost.
template <typename Then>
Flow Evaluation::product(const Operands& operands, std::size_t at, const Value& input, Value* values,
                         Then& then) {
  while (at < operands.size() && operands[at]->single) {
    if (!one(*operands[at], input, values[at])) return Flow::kError;
    ++at;
  }
  if (at == operands.size()) return then();
  auto next = [&](Value&& v) -> Flow {
    values[at] = std::move(v);
    return product(operands, at + 1, input, values, then);
  };
  return eval(*operands[at], input, Sink(next));
}

// The largest offset <= at that does not cut a character.
inline std::size_t utf8_floor(std::string_view text, std::size_t at) {
  if (at >= text.size()) return text.size();
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

}  // namespace consort::jq
