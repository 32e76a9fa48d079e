// Values of the Jinja interpreter. Texts carry a mask that says which bytes came from outside (message roles
// and contents), so that a rendered prompt knows what nobody may parse as a special token.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace consort::jinja {

// What a template's author or its data did wrong while rendering.
struct RenderError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// A template that runs too long, nests too deeply or writes too much is stopped.
struct RenderLimit : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Bounds what one rendering may copy and allocate, in bytes; one a thread at a time (the innermost counts).
// Everything that makes texts or lists charges it, so a hostile template can exhaust neither time nor memory.
class WorkBudget {
 public:
  explicit WorkBudget(std::int64_t bytes);
  ~WorkBudget();
  WorkBudget(const WorkBudget&) = delete;
  WorkBudget& operator=(const WorkBudget&) = delete;
  static void charge(std::size_t bytes);  // throws RenderLimit; free of charge without a budget

 private:
  std::int64_t left_;
  WorkBudget* outer_;
};

// A byte of `mask` is 1 where the byte of `text` came from outside. Same length always.
struct Text {
  std::string text, mask;
  Text() = default;
  explicit Text(std::string s, bool outside = false)
      : text(std::move(s)), mask(text.size(), outside ? 1 : 0) {}
  Text substr(std::size_t begin, std::size_t count = std::string::npos) const;
  bool outside() const { return mask.find('\1') != std::string::npos; }
  void append(const Text& other);
};

struct Undefined {
  std::string name;
};
struct None {};
class Value;
using List = std::vector<Value>;
using Dict = std::vector<std::pair<std::string, Value>>;  // insertion order

class Value {
 public:
  using Variant = std::variant<Undefined, None, bool, std::int64_t, double, Text, std::shared_ptr<List>,
                               std::shared_ptr<Dict>>;
  Value() : v(Undefined{}) {}
  template <typename T>
  Value(T x) : v(std::move(x)) {}
  Variant v;

  template <typename T>
  const T* as() const {
    return std::get_if<T>(&v);
  }
  const List* list() const {
    return as<std::shared_ptr<List>>() ? as<std::shared_ptr<List>>()->get() : nullptr;
  }
  Dict* dict() const { return as<std::shared_ptr<Dict>>() ? as<std::shared_ptr<Dict>>()->get() : nullptr; }
  bool undefined() const { return as<Undefined>() != nullptr; }
};

Value make_list(List items);
Value make_dict(Dict members);
Value text_value(std::string s);
const Value* member(const Dict& dict, std::string_view key);

bool truthy(const Value& v);
Text to_text(const Value& v);           // what {{ v }} prints (Python's str)
std::string type_name(const Value& v);  // for messages
bool equal(const Value& a, const Value& b);
int compare(const Value& a, const Value& b);      // numbers or texts (by code point); RenderError otherwise
std::string to_json(const Value& v, int indent);  // indent < 0: one line

bool has_outside(const Value& v);  // any text in it came from outside

}  // namespace consort::jinja
