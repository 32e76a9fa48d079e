#include "models/tokenizer/jinja/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace consort::jinja {

namespace {

thread_local WorkBudget* current_budget = nullptr;

constexpr int kMaxNesting = 64;  // of lists and dicts in each other

void check_depth(int depth) {
  if (depth > kMaxNesting) throw RenderLimit("lists and dicts are nested too deeply");
}

}  // namespace

WorkBudget::WorkBudget(std::int64_t bytes) : left_(bytes), outer_(current_budget) {
  current_budget = this;
}
WorkBudget::~WorkBudget() {
  current_budget = outer_;
}
void WorkBudget::charge(std::size_t bytes) {
  if (current_budget == nullptr) return;
  current_budget->left_ -= static_cast<std::int64_t>(bytes);
  if (current_budget->left_ < 0) throw RenderLimit("the template does too much work");
}

Text Text::substr(std::size_t begin, std::size_t count) const {
  Text out;
  WorkBudget::charge(std::min(count, text.size()) + 32);
  out.text = text.substr(begin, count);
  out.mask = mask.substr(begin, count);
  return out;
}

void Text::append(const Text& other) {
  WorkBudget::charge(other.text.size() + 1);
  text += other.text;
  mask += other.mask;
}

Value make_list(List items) {
  WorkBudget::charge((items.size() + 1) * sizeof(Value));
  return std::make_shared<List>(std::move(items));
}
Value make_dict(Dict members) {
  WorkBudget::charge((members.size() + 1) * 2 * sizeof(Value));
  return std::make_shared<Dict>(std::move(members));
}
Value text_value(std::string s) {
  return Text(std::move(s));
}

const Value* member(const Dict& dict, std::string_view key) {
  for (const auto& [name, value] : dict)
    if (name == key) return &value;
  return nullptr;
}

bool truthy(const Value& v) {
  if (const auto* b = v.as<bool>()) return *b;
  if (const auto* i = v.as<std::int64_t>()) return *i != 0;
  if (const auto* d = v.as<double>()) return *d != 0;
  if (const auto* t = v.as<Text>()) return !t->text.empty();
  if (const auto* l = v.list()) return !l->empty();
  if (const auto* d = v.dict()) return !d->empty();
  return false;
}

namespace {

std::string number_text(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d > 0 ? "inf" : "-inf";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, d);
  std::string s(buffer, end.ptr);
  if (s.find_first_of(".en") == std::string::npos) s += ".0";
  return s;
}

// Python's repr of a text, for lists and dicts that are printed.
std::string quoted(const std::string& s) {
  const char quote = s.find('\'') != std::string::npos && s.find('"') == std::string::npos ? '"' : '\'';
  std::string out(1, quote);
  for (char c : s) {
    if (c == quote || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += c;
    }
  }
  return out + quote;
}

Text printed(const Value& v, int depth);

Text repr(const Value& v, int depth) {
  if (const auto* t = v.as<Text>()) return Text(quoted(t->text), t->outside());
  if (v.undefined()) return Text("Undefined");
  return printed(v, depth);
}

Text printed(const Value& v, int depth) {
  check_depth(depth);
  if (const auto* t = v.as<Text>()) return *t;
  if (v.as<None>()) return Text("None");
  if (const auto* b = v.as<bool>()) return Text(*b ? "True" : "False");
  if (const auto* i = v.as<std::int64_t>()) return Text(std::to_string(*i));
  if (const auto* d = v.as<double>()) return Text(number_text(*d));
  Text out;
  if (const auto* l = v.list()) {
    out.append(Text("["));
    for (std::size_t i = 0; i < l->size(); ++i) {
      if (i) out.append(Text(", "));
      out.append(repr((*l)[i], depth + 1));
    }
    out.append(Text("]"));
  } else if (const auto* d = v.dict()) {
    out.append(Text("{"));
    for (std::size_t i = 0; i < d->size(); ++i) {
      if (i) out.append(Text(", "));
      out.append(Text(quoted((*d)[i].first) + ": "));
      out.append(repr((*d)[i].second, depth + 1));
    }
    out.append(Text("}"));
  }
  return out;
}

std::string json_string(const std::string& s) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\b') {
      out += "\\b";
    } else if (c == '\f') {
      out += "\\f";
    } else if (u < 0x20) {
      out += std::string("\\u00") + kHex[u >> 4] + kHex[u & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void write_json(const Value& v, int indent, int depth, std::string& out) {
  const auto line = [&](int level) {
    if (indent >= 0) out += "\n" + std::string(static_cast<std::size_t>(indent * level), ' ');
  };
  const char* comma = indent >= 0 ? "," : ", ";
  check_depth(depth);
  WorkBudget::charge(32);
  if (const auto* l = v.list()) {
    out += "[";
    for (std::size_t i = 0; i < l->size(); ++i) {
      if (i) out += comma;
      line(depth + 1);
      write_json((*l)[i], indent, depth + 1, out);
    }
    if (!l->empty()) line(depth);
    out += "]";
  } else if (const auto* d = v.dict()) {
    out += "{";
    for (std::size_t i = 0; i < d->size(); ++i) {
      if (i) out += comma;
      line(depth + 1);
      out += json_string((*d)[i].first) + ": ";
      write_json((*d)[i].second, indent, depth + 1, out);
    }
    if (!d->empty()) line(depth);
    out += "}";
  } else if (const auto* t = v.as<Text>()) {
    WorkBudget::charge(t->text.size());
    out += json_string(t->text);
  } else if (const auto* b = v.as<bool>()) {
    out += *b ? "true" : "false";
  } else if (v.as<None>()) {
    out += "null";
  } else if (v.undefined()) {
    throw RenderError("tojson: the value is undefined");
  } else {
    out += to_text(v).text;
  }
}

}  // namespace

Text to_text(const Value& v) {
  if (const auto* t = v.as<Text>()) WorkBudget::charge(t->text.size());
  return printed(v, 0);
}

bool has_outside(const Value& v) {
  WorkBudget::charge(32);
  if (const auto* t = v.as<Text>()) return t->outside();
  if (const auto* l = v.list()) return std::any_of(l->begin(), l->end(), has_outside);
  if (const auto* d = v.dict())
    return std::any_of(d->begin(), d->end(), [](const auto& entry) { return has_outside(entry.second); });
  return false;
}

std::string type_name(const Value& v) {
  static constexpr const char* kNames[] = {"undefined", "none", "bool", "int",
                                           "float",     "text", "list", "dict"};
  return kNames[v.v.index()];
}

namespace {

bool numeric(const Value& v, double& out) {
  if (const auto* b = v.as<bool>())
    out = *b;
  else if (const auto* i = v.as<std::int64_t>())
    out = static_cast<double>(*i);
  else if (const auto* d = v.as<double>())
    out = *d;
  else
    return false;
  return true;
}

}  // namespace

namespace {

bool equal_within(const Value& a, const Value& b, int depth);

}  // namespace

bool equal(const Value& a, const Value& b) {
  return equal_within(a, b, 0);
}

namespace {

bool equal_within(const Value& a, const Value& b, int depth) {
  check_depth(depth);
  WorkBudget::charge(32);
  double x = 0, y = 0;
  if (numeric(a, x) && numeric(b, y)) return x == y;
  if (a.v.index() != b.v.index()) return false;
  if (const auto* t = a.as<Text>()) return t->text == b.as<Text>()->text;
  if (const auto* l = a.list()) {
    const List& r = *b.list();
    if (l->size() != r.size()) return false;
    for (std::size_t i = 0; i < r.size(); ++i)
      if (!equal_within((*l)[i], r[i], depth + 1)) return false;
    return true;
  }
  if (const auto* d = a.dict()) {
    if (d->size() != b.dict()->size()) return false;
    for (const auto& [key, value] : *d) {
      const Value* other = member(*b.dict(), key);
      if (other == nullptr || !equal_within(value, *other, depth + 1)) return false;
    }
  }
  return true;
}

}  // namespace

int compare(const Value& a, const Value& b) {
  double x = 0, y = 0;
  if (numeric(a, x) && numeric(b, y)) return x < y ? -1 : x > y;
  const auto* s = a.as<Text>();
  const auto* t = b.as<Text>();
  if (s && t) return s->text.compare(t->text);
  throw RenderError("cannot compare " + type_name(a) + " with " + type_name(b));
}

std::string to_json(const Value& v, int indent) {
  std::string out;
  write_json(v, indent, 0, out);
  return out;
}

}  // namespace consort::jinja
