// One evaluation of a program: budgets, variables, the error under way. Private to this room; used by one
// thread.
//
// Outputs are handed to a continuation as they arise (so that generators cost no memory and `first` stops
// them); operations with exactly one output take the direct route `one`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scheduler/expression/ast.h"
#include "scheduler/expression/expression.h"

namespace consort::jq {

enum class Flow : std::uint8_t {
  kMore,   // go on
  kStop,   // the receiver has enough: unwind
  kError,  // an error is under way: unwind
};

// A reference to a callable that takes one output; never stored beyond the call it is given to.
class Sink {
 public:
  template <typename F>
  explicit Sink(F& f)
      : object_(&f), call_([](void* o, Value&& v) { return (*static_cast<F*>(o))(std::move(v)); }) {}
  Flow operator()(Value&& v) const { return call_(object_, std::move(v)); }

 private:
  void* object_;
  Flow (*call_)(void*, Value&&);
};

// The same for paths: an array of keys, and the value there.
struct Located {
  Value path;  // array
  Value value;
};
class PathSink {
 public:
  template <typename F>
  explicit PathSink(F& f)
      : object_(&f), call_([](void* o, Located&& v) { return (*static_cast<F*>(o))(std::move(v)); }) {}
  Flow operator()(Located&& v) const { return call_(object_, std::move(v)); }

 private:
  void* object_;
  Flow (*call_)(void*, Located&&);
};

class Evaluation {
 public:
  Evaluation(const ProgramTree& program, const Scope& scope, const EvaluationLimits& limits);

  Flow run(const Value& input, Sink out) { return eval(*program_.root, input, out); }
  Error error() const;  // after kError

  // interpreter.cpp. REQUIRES of one(): node.single.
  bool one(const Node& node, const Value& input, Value& out);
  Flow eval(const Node& node, const Value& input, Sink out);

  // Raising: always returns false.
  bool raise(const Node& node, Value message);
  bool raise_fatal(const Node& node, ErrorKind kind, std::string what);
  // Budgets. false: exhausted, and the error is raised.
  bool charge(const Node& node, std::uint64_t steps) {
    steps_ += steps;
    return steps_ <= limits_.steps || out_of_steps(node);
  }
  bool charge_bytes(const Node& node, std::uint64_t bytes) {
    bytes_ += bytes;
    return bytes_ <= limits_.bytes || out_of_bytes(node);
  }
  // Charges for a value just built and refuses trees too deep or too large to be written down.
  bool admit(const Node& node, const Value& built);
  // Charges for walking a value.
  bool charge_walk(const Node& node, const Value& v) { return charge(node, 1 + v.approximate_bytes() / 64); }
  bool charge_sort(const Node& node, const Value& v);
  std::uint64_t bytes_left() const { return bytes_ < limits_.bytes ? limits_.bytes - bytes_ : 0; }
  std::uint64_t steps_left() const { return steps_ < limits_.steps ? limits_.steps - steps_ : 0; }

 private:
  class Deeper;
  using Operands = std::vector<const Node*>;

  // interpreter.cpp
  bool strict(const Node& node, const Value& input, const Value* operands, Value& out);
  bool strict_one(const Node& node, const Value& input, Value& out);
  bool field_one(const Node& node, const Value& input, Value& out);
  bool lazy_one(const Node& node, const Value& input, Value& out);
  bool condition_one(const Node& node, const Value& input, Value& out);
  bool text(const Node& node, const Value* operands, Value& out);
  bool object(const Node& node, const Value* operands, Value& out);
  bool compare(const Node& node, const Value& left, const Value& right, Value& out);
  template <typename Then>
  Flow product(const Operands& operands, std::size_t at, const Value& input, Value* values, Then& then);

  // interpreter_lazy.cpp
  Flow eval_strict(const Node& node, const Value& input, Sink out);
  Flow eval_pipe(const Node& node, const Value& input, Sink out);
  Flow eval_iterate(const Node& node, const Value& input, Sink out);
  Flow eval_logic(const Node& node, const Value& input, Sink out);
  Flow eval_alternative(const Node& node, const Value& input, Sink out);
  Flow eval_if(const Node& node, const Value& input, Sink out);
  Flow eval_try(const Node& node, const Value& input, Sink out);
  Flow eval_reduce(const Node& node, const Value& input, Sink out);
  Flow eval_bind(const Node& node, const Value& input, Sink out);
  Flow eval_first(const Node& node, const Value& input, Sink out);
  Flow eval_nth(const Node& node, const Value& input, Sink out);
  Flow eval_range(const Node& node, const Value& input, Sink out);
  Flow range_values(const Node& node, const Value* bounds, Sink out);
  bool array_one(const Node& node, const Value& input, Value& out);
  bool any_one(const Node& node, const Value& input, Value& out);
  bool last_one(const Node& node, const Value& input, Value& out);
  bool reduce_from(const Node& node, const Value& input, Value state, Value& out);
  bool nth_from(const Node& node, const Value& input, const Value& n, Value& out);
  bool admit_grown(const Node& node, const Value& grown);
  bool handle_error(
      Value& message);  // takes the error under way for a `catch`; false when it is not catchable

  // paths.cpp
  Flow locate(const Node& node, const Located& input, PathSink out);
  Flow locate_key(const Node& node, const Located& input, PathSink out);
  Flow locate_children(const Node& node, const Located& input, PathSink out);
  Flow locate_alternative(const Node& node, const Located& input, PathSink out);
  Flow locate_try(const Node& node, const Located& input, PathSink out);
  Flow locate_first(const Node& node, const Located& input, PathSink out);
  Flow locate_reduce(const Node& node, const Located& input, PathSink out);
  bool step_into(const Node& node, const Located& from, Value key, Located& to);
  bool del_one(const Node& node, const Value& input, Value& out);
  bool delete_paths(const Node& node, Value target, const Value* first, const Value* last, std::size_t level,
                    Value& out);
  bool delete_keys(const Node& node, Value target, const std::vector<Value>& keys, Value& out);
  bool replace_child(const Node& node, Value target, const Value& key, Value child, Value& out);

  bool out_of_steps(const Node& node);
  bool out_of_bytes(const Node& node);

  const ProgramTree& program_;
  const EvaluationLimits limits_;
  std::vector<Value> slots_;
  std::uint64_t steps_ = 0, bytes_ = 0;
  std::uint32_t depth_ = 0;
  Value raised_;        // message of the error under way
  bool fatal_ = false;  // no `try` may catch it
  ErrorKind kind_ = ErrorKind::kRuntime;
  std::uint32_t raised_at_ = 0;
};

}  // namespace consort::jq
