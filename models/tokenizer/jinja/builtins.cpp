#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>

#include "models/tokenizer/jinja/renderer.h"
#include "models/tokenizer/jinja/texts.h"
#include "models/tokenizer/utf8.h"

namespace consort::jinja {
namespace {

const Value* argument(const Arguments& arguments, std::size_t position, std::string_view name) {
  std::size_t seen = 0;
  for (const auto& [key, value] : arguments) {
    if (key == name && !key.empty()) return &value;
    if (key.empty() && seen++ == position) return &value;
  }
  return nullptr;
}

Text text_argument(const Arguments& arguments, std::size_t position, std::string_view name) {
  const Value* v = argument(arguments, position, name);
  if (v == nullptr || !v->as<Text>())
    throw RenderError("a text is expected as argument " + std::to_string(position + 1));
  return *v->as<Text>();
}

Text strip_with(const Value& object, const Arguments& arguments, bool left, bool right) {
  const Value* set = argument(arguments, 0, "chars");
  return strip(to_text(object), set && set->as<Text>() ? &set->as<Text>()->text : nullptr, left, right);
}

Text replaced(const Text& text, const Text& from, const Text& to) {
  if (from.text.empty()) throw RenderError("replace: the text to find is empty");
  Text out;
  for (std::size_t at = 0;;) {
    const std::size_t found = text.text.find(from.text, at);
    if (found == std::string::npos) {
      out.append(text.substr(at));
      return out;
    }
    out.append(text.substr(at, found - at));
    out.append(to);
    if (out.text.size() > kMaxOutputBytes) throw RenderLimit("replace: the text grows too long");
    at = found + from.text.size();
  }
}

Value split_by(const Text& text, const Arguments& arguments, bool from_right) {
  const Value* separator = argument(arguments, 0, "sep");
  const Value* most = argument(arguments, 1, "maxsplit");
  const std::int64_t limit = most && most->as<std::int64_t>() ? *most->as<std::int64_t>() : -1;
  const bool blanks = separator == nullptr || !separator->as<Text>();
  if (blanks && from_right && limit >= 0) throw RenderError("rsplit needs a separator when it has a limit");
  if (!blanks && separator->as<Text>()->text.empty()) throw RenderError("split: the separator is empty");
  return make_list(blanks ? split_at_blanks(text, limit)
                          : split(text, separator->as<Text>()->text, limit, from_right));
}

Value joined(const Value& object, const Arguments& arguments) {
  const Value* by = argument(arguments, 0, "d");
  const Value* attribute = argument(arguments, 1, "attribute");
  Text out;
  bool first = true;
  for (const Value& item : items_of(object)) {
    if (!first && by) out.append(to_text(*by));
    first = false;
    out.append(to_text(attribute ? attribute_of(item, to_text(*attribute).text) : item));
  }
  return out;
}

Value pairs(const Value& object) {
  const Dict* dict = object.dict();
  if (dict == nullptr) throw RenderError("items: expected a dict, found " + type_name(object));
  List out;
  for (const auto& [key, value] : *dict) out.push_back(make_list({text_value(key), value}));
  return make_list(std::move(out));
}

std::int64_t length(const Value& v) {
  if (v.undefined()) return 0;
  if (v.dict()) return static_cast<std::int64_t>(v.dict()->size());
  if (v.list()) return static_cast<std::int64_t>(v.list()->size());
  if (const auto* text = v.as<Text>()) return static_cast<std::int64_t>(utf8_length(text->text));
  throw RenderError("length: a " + type_name(v) + " has none");
}

// selectattr / rejectattr: (attribute), (attribute, test), (attribute, test, value).
Value select(const Value& object, const Arguments& arguments, bool keep, bool by_attribute) {
  List out;
  const std::size_t shift = by_attribute ? 1 : 0;
  const Value* test = argument(arguments, shift, "");
  const std::string name = test ? to_text(*test).text : "";
  if (test && !known_test(name)) throw RenderError("the test '" + name + "' is not supported");
  Arguments rest;
  if (const Value* operand = argument(arguments, shift + 1, "")) rest.emplace_back("", *operand);
  for (const Value& item : items_of(object)) {
    const Value value = by_attribute ? attribute_of(item, text_argument(arguments, 0, "").text) : item;
    if ((test ? apply_test(name, value, rest) : truthy(value)) == keep) out.push_back(item);
  }
  return make_list(std::move(out));
}

Value mapped_items(const Value& object, const Arguments& arguments) {
  List out;
  const Value* attribute = argument(arguments, 99, "attribute");
  for (const Value& item : items_of(object)) {
    if (attribute) {
      out.push_back(attribute_of(item, to_text(*attribute).text));
    } else {
      const std::string name = text_argument(arguments, 0, "").text;
      if (!known_filter(name)) throw RenderError("the filter '" + name + "' is not supported");
      out.push_back(apply_filter(name, item, {}));
    }
  }
  return make_list(std::move(out));
}

// Sorting and comparing for uniqueness look at texts without case, as the reference does.
Value folded(const Value& v) {
  return v.as<Text>() ? Value(mapped(*v.as<Text>(), Case::kLower)) : v;
}

Value unique(const Value& object) {
  List out, seen;
  for (const Value& item : items_of(object)) {  // equal() is charged, so the square is bounded
    const Value key = folded(item);
    if (std::any_of(seen.begin(), seen.end(), [&](const Value& v) { return equal(v, key); })) continue;
    seen.push_back(key);
    out.push_back(item);
  }
  return make_list(std::move(out));
}

Value to_float(const Value& v) {
  if (const auto* b = v.as<bool>()) return *b ? 1.0 : 0.0;
  return std::strtod(to_text(v).text.c_str(), nullptr);
}

Value absolute(const Value& v) {
  if (const auto* b = v.as<bool>()) return std::int64_t{*b};
  return compare(v, std::int64_t{0}) < 0 ? apply_binary("-", std::int64_t{0}, v) : v;
}

Value to_integer(const Value& v) {
  if (const auto* d = v.as<double>()) return static_cast<std::int64_t>(std::clamp(*d, -9e18, 9e18));
  if (const auto* t = v.as<Text>())
    return static_cast<std::int64_t>(std::strtoll(t->text.c_str(), nullptr, 10));
  if (const auto* b = v.as<bool>()) return std::int64_t{*b};
  return v.as<std::int64_t>() ? v : Value(std::int64_t{0});
}

Value reversed(const Value& v) {
  if (const auto* t = v.as<Text>()) return slice_of(*t, None{}, None{}, std::int64_t{-1});
  List out = items_of(v);
  std::reverse(out.begin(), out.end());
  return make_list(std::move(out));
}

Value sorted(const Value& v) {
  List out = items_of(v);
  std::stable_sort(out.begin(), out.end(),
                   [](const Value& a, const Value& b) { return compare(folded(a), folded(b)) < 0; });
  return make_list(std::move(out));
}

Text indented(const Text& text, const Arguments& arguments) {
  const Value* width = argument(arguments, 0, "width");
  const Value* first = argument(arguments, 1, "first");
  const std::int64_t n =
      width && width->as<std::int64_t>() ? std::clamp<std::int64_t>(*width->as<std::int64_t>(), 0, 64) : 4;
  const Text pad(std::string(static_cast<std::size_t>(n), ' '));
  Text out;
  if (first && truthy(*first)) out.append(pad);
  for (std::size_t i = 0; i < text.text.size(); ++i) {
    out.append(text.substr(i, 1));
    if (text.text[i] == '\n' && i + 1 < text.text.size() && text.text[i + 1] != '\n') out.append(pad);
  }
  return out;
}

using Filter = Value (*)(const Value&, const Arguments&);
Value json_filter(const Value& v, const Arguments& a) {
  const Value* indent = argument(a, 99, "indent");
  const auto* width = indent ? indent->as<std::int64_t>() : nullptr;
  return Text(to_json(v, width ? static_cast<int>(std::clamp<std::int64_t>(*width, 0, 32)) : -1),
              has_outside(v));
}
Value default_filter(const Value& v, const Arguments& a) {
  const Value* other = argument(a, 0, "default_value");
  const Value* falsy = argument(a, 1, "boolean");
  const bool use = v.undefined() || (falsy && truthy(*falsy) && !truthy(v));
  return use ? (other ? *other : text_value("")) : v;
}
Value edge(const Value& v, bool first) {
  const List items = items_of(v);
  if (items.empty()) return Undefined{first ? "first" : "last"};
  return first ? items.front() : items.back();
}

const std::map<std::string, Filter, std::less<>>& filters() {
  using A = const Arguments&;
  using V = const Value&;
  static const std::map<std::string, Filter, std::less<>> all = {
      {"trim", [](V v, A a) -> Value { return strip_with(v, a, true, true); }},
      {"upper", [](V v, A) -> Value { return mapped(to_text(v), Case::kUpper); }},
      {"lower", [](V v, A) -> Value { return mapped(to_text(v), Case::kLower); }},
      {"title", [](V v, A) -> Value { return capitalised(to_text(v), Words::kSpaced); }},
      {"capitalize", [](V v, A) -> Value { return capitalised(to_text(v), Words::kOne); }},
      {"length", [](V v, A) -> Value { return length(v); }},
      {"count", [](V v, A) -> Value { return length(v); }},
      {"default", default_filter},
      {"d", default_filter},
      {"join", [](V v, A a) -> Value { return joined(v, a); }},
      {"tojson", json_filter},
      {"first", [](V v, A) -> Value { return edge(v, true); }},
      {"last", [](V v, A) -> Value { return edge(v, false); }},
      {"replace",
       [](V v, A a) -> Value {
         return replaced(to_text(v), text_argument(a, 0, "old"), text_argument(a, 1, "new"));
       }},
      {"string", [](V v, A) -> Value { return to_text(v); }},
      {"list", [](V v, A) -> Value { return make_list(items_of(v)); }},
      {"items", [](V v, A) -> Value { return pairs(v); }},
      {"dictsort",
       [](V v, A) -> Value {
         List out = *pairs(v).list();
         std::stable_sort(out.begin(), out.end(),
                          [](V a, V b) { return compare(a.list()->front(), b.list()->front()) < 0; });
         return make_list(std::move(out));
       }},
      {"int", [](V v, A) -> Value { return to_integer(v); }},
      {"float", [](V v, A) -> Value { return to_float(v); }},
      {"abs", [](V v, A) -> Value { return absolute(v); }},
      {"reverse", [](V v, A) -> Value { return reversed(v); }},
      {"sort", [](V v, A) -> Value { return sorted(v); }},
      {"unique", [](V v, A) -> Value { return unique(v); }},
      {"map", [](V v, A a) -> Value { return mapped_items(v, a); }},
      {"select", [](V v, A a) -> Value { return select(v, a, true, false); }},
      {"reject", [](V v, A a) -> Value { return select(v, a, false, false); }},
      {"selectattr", [](V v, A a) -> Value { return select(v, a, true, true); }},
      {"rejectattr", [](V v, A a) -> Value { return select(v, a, false, true); }},
      {"indent", [](V v, A a) -> Value { return indented(to_text(v), a); }},
      {"safe", [](V v, A) -> Value { return v; }},
  };
  return all;
}

using Test = bool (*)(const Value&, const Arguments&);
const Value& operand(const Arguments& a) {
  if (a.empty()) throw RenderError("a test needs something to compare with");
  return a.front().second;
}

const std::map<std::string, Test, std::less<>>& tests() {
  using A = const Arguments&;
  using V = const Value&;
  static const std::map<std::string, Test, std::less<>> all = {
      {"defined", [](V v, A) { return !v.undefined(); }},
      {"undefined", [](V v, A) { return v.undefined(); }},
      {"none", [](V v, A) { return v.as<None>() != nullptr; }},
      {"string", [](V v, A) { return v.as<Text>() != nullptr; }},
      {"mapping", [](V v, A) { return v.dict() != nullptr; }},
      {"sequence", [](V v, A) { return v.list() || v.as<Text>() || v.dict() || v.undefined(); }},
      {"iterable", [](V v, A) { return v.list() || v.as<Text>() || v.dict() || v.undefined(); }},
      {"boolean", [](V v, A) { return v.as<bool>() != nullptr; }},
      {"integer", [](V v, A) { return v.as<std::int64_t>() != nullptr; }},
      {"float", [](V v, A) { return v.as<double>() != nullptr; }},
      {"number", [](V v, A) { return v.as<std::int64_t>() || v.as<double>() || v.as<bool>(); }},
      {"true", [](V v, A) { return v.as<bool>() && *v.as<bool>(); }},
      {"false", [](V v, A) { return v.as<bool>() && !*v.as<bool>(); }},
      {"callable", [](V, A) { return false; }},
      {"eq", [](V v, A a) { return equal(v, operand(a)); }},
      {"equalto", [](V v, A a) { return equal(v, operand(a)); }},
      {"ne", [](V v, A a) { return !equal(v, operand(a)); }},
      {"in", [](V v, A a) { return truthy(apply_binary("in", v, operand(a))); }},
      {"lt", [](V v, A a) { return compare(v, operand(a)) < 0; }},
      {"le", [](V v, A a) { return compare(v, operand(a)) <= 0; }},
      {"gt", [](V v, A a) { return compare(v, operand(a)) > 0; }},
      {"ge", [](V v, A a) { return compare(v, operand(a)) >= 0; }},
      {"even", [](V v, A) { return equal(apply_binary("%", v, std::int64_t{2}), std::int64_t{0}); }},
      {"odd", [](V v, A) { return equal(apply_binary("%", v, std::int64_t{2}), std::int64_t{1}); }},
      {"divisibleby", [](V v, A a) { return equal(apply_binary("%", v, operand(a)), std::int64_t{0}); }},
  };
  return all;
}

using Method = Value (*)(const Value&, const Arguments&);
const std::map<std::string, Method, std::less<>>& methods() {
  using A = const Arguments&;
  using V = const Value&;
  static const std::map<std::string, Method, std::less<>> all = {
      {"strip", [](V v, A a) -> Value { return strip_with(v, a, true, true); }},
      {"lstrip", [](V v, A a) -> Value { return strip_with(v, a, true, false); }},
      {"rstrip", [](V v, A a) -> Value { return strip_with(v, a, false, true); }},
      {"split", [](V v, A a) -> Value { return split_by(to_text(v), a, false); }},
      {"rsplit", [](V v, A a) -> Value { return split_by(to_text(v), a, true); }},
      {"upper", [](V v, A) -> Value { return mapped(to_text(v), Case::kUpper); }},
      {"lower", [](V v, A) -> Value { return mapped(to_text(v), Case::kLower); }},
      {"title", [](V v, A) -> Value { return capitalised(to_text(v), Words::kLetters); }},
      {"capitalize", [](V v, A) -> Value { return capitalised(to_text(v), Words::kOne); }},
      {"startswith",
       [](V v, A a) -> Value { return to_text(v).text.starts_with(text_argument(a, 0, "prefix").text); }},
      {"endswith",
       [](V v, A a) -> Value { return to_text(v).text.ends_with(text_argument(a, 0, "suffix").text); }},
      {"replace",
       [](V v, A a) -> Value {
         return replaced(to_text(v), text_argument(a, 0, "old"), text_argument(a, 1, "new"));
       }},
      {"find",
       [](V v, A a) -> Value {
         const auto at = to_text(v).text.find(text_argument(a, 0, "sub").text);
         return at == std::string::npos ? std::int64_t{-1} : static_cast<std::int64_t>(at);
       }},
      {"join",
       [](V v, A a) -> Value {
         return joined(a.empty() ? Value(Undefined{"join"}) : a.front().second, {{"", v}});
       }},
      {"items", [](V v, A) -> Value { return pairs(v); }},
      {"keys", [](V v, A) -> Value { return make_list(items_of(v)); }},
      {"values",
       [](V v, A) -> Value {
         List out;
         const Value all_pairs = pairs(v);
         for (const Value& pair : *all_pairs.list()) out.push_back((*pair.list())[1]);
         return make_list(std::move(out));
       }},
      {"get",
       [](V v, A a) -> Value {
         Value found = v.dict() ? attribute_of(v, text_argument(a, 0, "key").text) : Value(Undefined{"get"});
         if (!found.undefined()) return found;
         return a.size() > 1 ? a[1].second : Value(None{});
       }},
  };
  return all;
}

Value range(const Arguments& arguments) {
  std::int64_t values[3] = {0, 0, 1};
  if (arguments.empty() || arguments.size() > 3) throw RenderError("range takes one to three integers");
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto* v = arguments[i].second.as<std::int64_t>();
    if (v == nullptr) throw RenderError("range takes integers");
    values[arguments.size() == 1 ? 1 : i] = *v;
  }
  if (values[2] == 0) throw RenderError("range: the step is 0");
  List out;
  for (std::int64_t i = values[0]; values[2] > 0 ? i < values[1] : i > values[1];) {
    if (out.size() >= 100'000) throw RenderLimit("range is too long");
    out.push_back(i);
    if (__builtin_add_overflow(i, values[2], &i)) break;
  }
  return make_list(std::move(out));
}

}  // namespace

bool known_filter(std::string_view name) {
  return filters().contains(name);
}
bool known_test(std::string_view name) {
  return tests().contains(name);
}
bool known_method(std::string_view name) {
  return methods().contains(name);
}
bool known_function(std::string_view name) {
  return name == "raise_exception" || name == "namespace" || name == "dict" || name == "range" ||
         name == "strftime_now";
}

Value apply_filter(const std::string& name, const Value& object, const Arguments& arguments) {
  return filters().find(name)->second(object, arguments);
}
bool apply_test(const std::string& name, const Value& object, const Arguments& arguments) {
  return tests().find(name)->second(object, arguments);
}
Value call_method(const std::string& name, const Value& object, const Arguments& arguments) {
  if (object.undefined())
    throw RenderError("'" + object.as<Undefined>()->name + "' is undefined, so it has no '" + name + "'");
  const bool of_dict = name == "items" || name == "keys" || name == "values" || name == "get";
  if (of_dict ? object.dict() == nullptr : object.as<Text>() == nullptr)
    throw RenderError("a " + type_name(object) + " has no method '" + name + "'");
  return methods().find(name)->second(object, arguments);
}

Value call_function(const std::string& name, const Arguments& arguments) {
  if (name == "range") return range(arguments);
  if (name == "raise_exception")
    throw RenderError("the template says: " +
                      (arguments.empty() ? std::string() : to_text(arguments.front().second).text));
  // Not offered (a prompt must not depend on the clock), but templates ask `strftime_now is defined` first.
  if (name == "strftime_now")
    throw RenderError("strftime_now is not available: prompts do not depend on the clock");
  Dict members;
  for (const auto& [key, value] : arguments) {
    if (key.empty() && value.dict()) {
      members.insert(members.end(), value.dict()->begin(), value.dict()->end());
    } else {
      members.emplace_back(key, value);
    }
  }
  return make_dict(std::move(members));
}

}  // namespace consort::jinja
