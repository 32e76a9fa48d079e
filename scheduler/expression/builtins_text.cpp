// Functions over strings, conversions, formats, numbers and errors.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "scheduler/expression/builtins.h"
#include "scheduler/expression/evaluation.h"
#include "scheduler/value/utf8.h"

namespace consort::jq {
namespace {

bool length(Evaluation& e, const Node& node, const Value& in, const Value*, Value& out) {
  switch (in.type()) {
    case Value::Type::kNull:
      out = Value(0);
      return true;
    case Value::Type::kBool:
      return e.raise(node, describe(in) + " has no length");
    case Value::Type::kInteger:
      if (in.as_integer() >= 0) return out = in, true;
      return arithmetic(e, node, Op::kSubtract, Value(0), in, out);
    case Value::Type::kNumber:
      out = number_result(std::fabs(in.as_number()));
      return true;
    case Value::Type::kString:
      out = Value(static_cast<std::int64_t>(utf8::length(in.as_string())));
      return e.charge(node, in.size() / 16);
    default:
      out = Value(static_cast<std::int64_t>(in.size()));
      return true;
  }
}

bool type(Evaluation&, const Node&, const Value& in, const Value*, Value& out) {
  out = Value(type_name(in.type()));
  return true;
}

bool invert(Evaluation&, const Node&, const Value& in, const Value*, Value& out) {
  out = Value(!truthy(in));
  return true;
}

bool error(Evaluation& e, const Node& node, const Value&, const Value* a, Value&) {
  return e.raise(node, a[0]);
}

bool split(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  if (!in.is_string() || !a[0].is_string()) return e.raise(node, "split input and separator must be strings");
  return split_text(e, node, in.as_string(), a[0].as_string(), out);
}

// What to cut from the text: 0 when the part is not there or one of the two is not a string.
std::size_t affix(const Value& in, const Value& part, bool front) {
  if (!in.is_string() || !part.is_string()) return 0;
  const std::string &text = in.as_string(), &affix = part.as_string();
  const bool there = front ? text.starts_with(affix) : text.ends_with(affix);
  return there ? affix.size() : 0;
}

bool ltrimstr(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  const std::size_t cut = affix(in, a[0], true);
  out = cut ? Value(in.as_string().substr(cut)) : in;
  return e.charge_bytes(node, cut ? out.size() : 0);
}

bool rtrimstr(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  const std::size_t cut = affix(in, a[0], false);
  out = cut ? Value(in.as_string().substr(0, in.size() - cut)) : in;
  return e.charge_bytes(node, cut ? out.size() : 0);
}

bool startswith(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  if (!in.is_string() || !a[0].is_string()) return e.raise(node, "startswith() requires string inputs");
  out = Value(in.as_string().starts_with(a[0].as_string()));
  return true;
}

bool endswith(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  if (!in.is_string() || !a[0].is_string()) return e.raise(node, "endswith() requires string inputs");
  out = Value(in.as_string().ends_with(a[0].as_string()));
  return true;
}

bool change_case(Evaluation& e, const Node& node, const Value& in, char first, char last, const char* name,
                 Value& out) {
  if (!in.is_string()) return e.raise(node, std::string(name) + " input must be a string");
  std::string text = in.as_string();
  for (char& c : text) {
    if (c >= first && c <= last) c = static_cast<char>(c ^ 0x20);
  }
  out = Value(std::move(text));
  return e.charge_bytes(node, out.size());
}

bool ascii_downcase(Evaluation& e, const Node& node, const Value& in, const Value*, Value& out) {
  return change_case(e, node, in, 'A', 'Z', "ascii_downcase", out);
}
bool ascii_upcase(Evaluation& e, const Node& node, const Value& in, const Value*, Value& out) {
  return change_case(e, node, in, 'a', 'z', "ascii_upcase", out);
}

bool tojson(Evaluation& e, const Node& node, const Value& in, const Value*, Value& out) {
  if (!e.charge_bytes(node, in.approximate_bytes())) return false;
  std::string text;
  append_jq_json(text, in);
  out = Value(std::move(text));
  return true;
}

bool tostring(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  if (in.is_string()) return out = in, true;
  return tojson(e, node, in, a, out);
}

bool fromjson(Evaluation& e, const Node& node, const Value& in, const Value*, Value& out) {
  if (!in.is_string()) return e.raise(node, describe(in) + " only strings can be parsed");
  if (!e.charge(node, in.size() / 16) || !e.charge_bytes(node, 4 * in.size())) return false;
  auto parsed = parse_json(in.as_string());
  if (!parsed) return e.raise(node, parsed.error().what + " at " + parsed.error().where);
  out = std::move(*parsed);
  return true;
}

bool tonumber(Evaluation& e, const Node& node, const Value& in, const Value*, Value& out) {
  if (in.is_number()) return out = in, true;
  if (!in.is_string()) return e.raise(node, describe(in) + " cannot be parsed as a number");
  auto parsed = in.size() <= 4096 ? parse_json(in.as_string()) : fail(ErrorKind::kInvalid, "");
  if (!parsed || !parsed->is_number()) return e.raise(node, describe(in) + " cannot be parsed as a number");
  out = *parsed;
  return true;
}

template <double (*F)(double)>
bool rounded(Evaluation& e, const Node& node, const Value& in, const Value*, Value& out) {
  if (!in.is_number()) return e.raise(node, describe(in) + " number required");
  out = in.is_integer() ? in : number_result(F(in.as_number()));
  return true;
}

double floor_of(double d) {
  return std::floor(d);
}
double ceil_of(double d) {
  return std::ceil(d);
}
double round_of(double d) {
  return std::round(d);
}

bool square_root(Evaluation& e, const Node& node, const Value& in, const Value*, Value& out) {
  if (!in.is_number()) return e.raise(node, describe(in) + " number required");
  out = number_result(std::sqrt(in.as_number()));
  return true;
}

bool test(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  if (!in.is_string()) return e.raise(node, describe(in) + " cannot be matched, as it is not a string");
  std::shared_ptr<const Regex> regex = node.regex;
  if (!regex) {
    Value pattern = a[0], flags = a[1];
    if (pattern.is_array() && pattern.size() > 0 && flags.is_null()) {  // test([pattern, flags])
      const Value pair = pattern;
      pattern = pair.as_array()[0];
      flags = pair.size() > 1 ? pair.as_array()[1] : Value();
    }
    if (!pattern.is_string())
      return e.raise(node, describe(pattern) + " cannot be matched, as it is not a string");
    if (!flags.is_null() && !flags.is_string()) return e.raise(node, describe(flags) + " is not a string");
    auto compiled = compile_test_pattern(pattern.as_string(), flags.is_null() ? "" : flags.as_string());
    if (!compiled) return e.raise(node, compiled.error().what);
    if (!e.charge(node, compiled->size())) return false;
    regex = std::make_shared<const Regex>(std::move(*compiled));
  }
  if (!e.charge(node, (1 + in.size()) * (1 + regex->size() / 16))) return false;
  out = Value(regex->search(in.as_string()));
  return true;
}

constexpr Builtin kBuiltins[] = {{"length", 0, length},
                                 {"type", 0, type},
                                 {"not", 0, invert},
                                 {"error", 1, error},
                                 {"split", 1, split},
                                 {"ltrimstr", 1, ltrimstr},
                                 {"rtrimstr", 1, rtrimstr},
                                 {"startswith", 1, startswith},
                                 {"endswith", 1, endswith},
                                 {"ascii_downcase", 0, ascii_downcase},
                                 {"ascii_upcase", 0, ascii_upcase},
                                 {"tojson", 0, tojson},
                                 {"tostring", 0, tostring},
                                 {"fromjson", 0, fromjson},
                                 {"tonumber", 0, tonumber},
                                 {"floor", 0, rounded<floor_of>},
                                 {"ceil", 0, rounded<ceil_of>},
                                 {"round", 0, rounded<round_of>},
                                 {"sqrt", 0, square_root},
                                 {"test", 2, test}};

}  // namespace

std::span<const Builtin> text_builtins() {
  return kBuiltins;
}

Result<Regex> compile_test_pattern(std::string_view pattern, std::string_view flags) {
  RegexOptions options;
  for (const char flag : flags) {
    switch (flag) {
      case 'g':
      case 'l':
      case 's':
        break;  // change what matches are reported, not whether there is one
      case 'i':
        options.ignore_case = true;
        break;
      case 'x':
        options.extended = true;
        break;
      case 'n':
        options.not_empty = true;
        break;
      case 'p':
        options.dot_all = true;
        break;
      default:
        return fail(ErrorKind::kInvalid, std::string(flags) + " is not a valid modifier string");
    }
  }
  return Regex::compile(pattern, options);
}

bool split_text(Evaluation& e, const Node& node, const std::string& text, const std::string& separator,
                Value& out) {
  if (!e.charge(node, 1 + text.size() / 16)) return false;
  Value::Array parts;
  const auto part = [&](std::size_t begin, std::size_t length) {
    parts.emplace_back(text.substr(begin, length));
    return e.charge_bytes(node, 80 + length);
  };
  std::size_t at = 0;
  while (at < text.size() && separator.empty()) {
    const std::size_t begin = at;
    char32_t c = 0;
    if (!utf8::decode(text, at, c)) ++at;
    if (!part(begin, at - begin)) return false;
  }
  if (!separator.empty() && !text.empty()) {
    while (true) {
      const std::size_t found = text.find(separator, at);
      if (!part(at, found == std::string::npos ? text.size() - at : found - at)) return false;
      if (found == std::string::npos) break;
      at = found + separator.size();
    }
  }
  out = Value::array(std::move(parts));
  return e.admit(node, out);
}

const Builtin* find_builtin(std::string_view name, int arity) {
  for (const auto table : {collection_builtins(), order_builtins(), text_builtins()}) {
    for (const Builtin& builtin : table) {
      if (builtin.name == name && builtin.arity == arity) return &builtin;
    }
  }
  return nullptr;
}

}  // namespace consort::jq
