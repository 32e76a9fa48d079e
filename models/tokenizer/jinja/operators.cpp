#include <algorithm>

#include "models/tokenizer/jinja/renderer.h"

namespace consort::jinja {
namespace {

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == 0) throw RenderError("division by zero");
  if (b == -1) return static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(a));
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}

bool contains(const Value& item, const Value& container) {
  if (const auto* text = container.as<Text>()) {
    const auto* part = item.as<Text>();
    if (part == nullptr) throw RenderError("'in' needs a text on its left");
    return text->text.find(part->text) != std::string::npos;
  }
  if (const auto* list = container.list())
    return std::any_of(list->begin(), list->end(), [&](const Value& v) { return equal(v, item); });
  if (const auto* dict = container.dict())
    return item.as<Text>() && member(*dict, item.as<Text>()->text) != nullptr;
  if (container.undefined()) return false;
  throw RenderError("'in' needs a text, a list or a dict, not " + type_name(container));
}

bool real(const Value& v) {
  return v.as<double>() != nullptr;
}

double number(const Value& v) {
  if (const auto* d = v.as<double>()) return *d;
  if (const auto* i = v.as<std::int64_t>()) return static_cast<double>(*i);
  if (const auto* b = v.as<bool>()) return *b;
  throw RenderError("expected a number, found " + type_name(v));
}

std::int64_t integer(const Value& v) {
  if (const auto* i = v.as<std::int64_t>()) return *i;
  if (const auto* b = v.as<bool>()) return *b;
  throw RenderError("expected an integer, found " + type_name(v));
}

Value arithmetic(char op, const Value& left, const Value& right) {
  if (op == '/') {
    const double divisor = number(right);
    if (divisor == 0) throw RenderError("division by zero");
    return number(left) / divisor;
  }
  if (real(left) || real(right)) {
    const double a = number(left), b = number(right);
    if (op == '%') throw RenderError("'%' of floats is not supported");
    return op == '+' ? a + b : op == '-' ? a - b : a * b;
  }
  std::int64_t a = integer(left), b = integer(right), out = 0;
  if (op == '%') return a - b * floor_divide(a, b);
  const bool overflow = op == '+'   ? __builtin_add_overflow(a, b, &out)
                        : op == '-' ? __builtin_sub_overflow(a, b, &out)
                                    : __builtin_mul_overflow(a, b, &out);
  if (overflow) throw RenderError("an integer is too large");
  return out;
}

Value add(const Value& left, const Value& right) {
  const auto* a = left.as<Text>();
  const auto* b = right.as<Text>();
  if (a && b) {
    Text out = *a;
    out.append(*b);
    return out;
  }
  if (left.list() && right.list()) {
    WorkBudget::charge((left.list()->size() + right.list()->size()) * sizeof(Value));
    List out = *left.list();
    out.insert(out.end(), right.list()->begin(), right.list()->end());
    return make_list(std::move(out));
  }
  if (a || b || left.undefined() || right.undefined() || left.list() || right.list() || left.dict() ||
      right.dict())
    throw RenderError("cannot add " + type_name(left) + " and " + type_name(right));
  return arithmetic('+', left, right);
}

// Python's bounds of a slice over n items: index range and step.
struct Range {
  std::int64_t start, stop, step;
};
Range bounds(const Value& start, const Value& stop, const Value& step, std::int64_t n) {
  constexpr std::int64_t kFar = std::int64_t{1} << 40;  // beyond any length; keeps i + step in range
  const std::int64_t by = step.as<None>() ? 1 : std::clamp(integer(step), -kFar, kFar);
  if (by == 0) throw RenderError("a slice's step is 0");
  const std::int64_t low = by > 0 ? 0 : -1, high = by > 0 ? n : n - 1;
  const auto place = [&](const Value& v, std::int64_t fallback) {
    if (v.as<None>() || v.undefined()) return fallback;
    std::int64_t i = integer(v);
    if (i < 0) i += n;
    return std::clamp(i, low, high);
  };
  return {place(start, by > 0 ? 0 : n - 1), place(stop, by > 0 ? n : -1), by};
}

// Code points' first bytes, so that texts are indexed by character as Python does.
std::vector<std::size_t> characters(const std::string& s) {
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < s.size(); ++i)
    if ((static_cast<unsigned char>(s[i]) & 0xC0) != 0x80) starts.push_back(i);
  starts.push_back(s.size());
  return starts;
}

}  // namespace

Value apply_binary(const std::string& op, const Value& left, const Value& right) {
  if (op == "==") return equal(left, right);
  if (op == "!=") return !equal(left, right);
  if (op == "in") return contains(left, right);
  if (op == "not in") return !contains(left, right);
  if (op == "<") return compare(left, right) < 0;
  if (op == "<=") return compare(left, right) <= 0;
  if (op == ">") return compare(left, right) > 0;
  if (op == ">=") return compare(left, right) >= 0;
  if (op == "+") return add(left, right);
  if (op == "~") {
    Text out = to_text(left);
    out.append(to_text(right));
    return out;
  }
  if (op == "//") return floor_divide(integer(left), integer(right));
  if (op == "*" && left.as<Text>()) {
    const std::int64_t times = std::max<std::int64_t>(0, integer(right));
    if (times * static_cast<std::int64_t>(left.as<Text>()->text.size() + 1) > (1 << 20) || times > (1 << 20))
      throw RenderLimit("a repeated text is too long");
    Text out;
    for (std::int64_t i = 0; i < times; ++i) out.append(*left.as<Text>());
    return out;
  }
  return arithmetic(op[0], left, right);
}

Value attribute_of(const Value& object, const std::string& name) {
  if (object.undefined())
    throw RenderError("'" + object.as<Undefined>()->name + "' is undefined, so it has no '" + name + "'");
  if (const auto* dict = object.dict())
    if (const Value* v = member(*dict, name)) return *v;
  if (object.list() && !name.empty() && name.find_first_not_of("0123456789") == std::string::npos &&
      name.size() < 10)
    return item_of(object, static_cast<std::int64_t>(std::stoll(name)));
  return Undefined{name};
}

Value item_of(const Value& object, const Value& index) {
  if (const auto* key = index.as<Text>()) return attribute_of(object, key->text);
  if (object.undefined()) throw RenderError("'" + object.as<Undefined>()->name + "' is undefined");
  std::int64_t i = integer(index);
  if (const auto* list = object.list()) {
    if (i < 0) i += static_cast<std::int64_t>(list->size());
    if (i < 0 || i >= static_cast<std::int64_t>(list->size())) return Undefined{"item " + std::to_string(i)};
    return (*list)[static_cast<std::size_t>(i)];
  }
  if (const auto* text = object.as<Text>()) {
    WorkBudget::charge(text->text.size() * sizeof(std::size_t));
    const auto starts = characters(text->text);
    const auto n = static_cast<std::int64_t>(starts.size()) - 1;
    if (i < 0) i += n;
    if (i < 0 || i >= n) return Undefined{"character " + std::to_string(i)};
    const auto at = static_cast<std::size_t>(i);
    return text->substr(starts[at], starts[at + 1] - starts[at]);
  }
  return Undefined{"item"};
}

Value slice_of(const Value& object, const Value& start, const Value& stop, const Value& step) {
  if (const auto* list = object.list()) {
    const Range r = bounds(start, stop, step, static_cast<std::int64_t>(list->size()));
    List out;
    for (std::int64_t i = r.start; r.step > 0 ? i < r.stop : i > r.stop; i += r.step)
      out.push_back((*list)[static_cast<std::size_t>(i)]);
    return make_list(std::move(out));
  }
  const auto* text = object.as<Text>();
  if (text == nullptr) throw RenderError("cannot slice " + type_name(object));
  WorkBudget::charge(text->text.size() * sizeof(std::size_t));
  const auto starts = characters(text->text);
  const Range r = bounds(start, stop, step, static_cast<std::int64_t>(starts.size()) - 1);
  Text out;
  for (std::int64_t i = r.start; r.step > 0 ? i < r.stop : i > r.stop; i += r.step) {
    const auto at = static_cast<std::size_t>(i);
    out.append(text->substr(starts[at], starts[at + 1] - starts[at]));
  }
  return out;
}

List items_of(const Value& v) {
  List out;
  if (const auto* list = v.list()) {
    WorkBudget::charge(list->size() * sizeof(Value));
    out = *list;
    for (const Value& item : out)
      if (const auto* text = item.as<Text>()) WorkBudget::charge(text->text.size());
    return out;
  }
  if (const auto* dict = v.dict()) {
    for (const auto& [key, value] : *dict) out.push_back(text_value(key));
    return out;
  }
  if (const auto* text = v.as<Text>()) {
    WorkBudget::charge(text->text.size() * sizeof(Value));
    const auto starts = characters(text->text);
    for (std::size_t i = 0; i + 1 < starts.size(); ++i)
      out.push_back(text->substr(starts[i], starts[i + 1] - starts[i]));
    return out;
  }
  if (v.undefined()) return out;  // as in the reference: looping over nothing is no error
  throw RenderError("a loop needs a list, not " + type_name(v));
}

}  // namespace consort::jinja
