#include <algorithm>

#include "scheduler/workflow/parser.h"

namespace consort::workflow {
namespace {

constexpr std::size_t kMaxNameBytes = 64;  // of documents and tasks; keeps journal keys short

bool is_semver(const std::string& text) {
  int part = 0;
  bool digit = false;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c >= '0' && c <= '9') {
      digit = true;
    } else if (c == '.' && digit && part < 2) {
      ++part;
      digit = false;
    } else {
      break;
    }
  }
  if (part != 2 || !digit) return false;
  if (at == text.size()) return true;
  if (text[at] != '-' && text[at] != '+') return false;
  if (at + 1 == text.size()) return false;
  return std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at) + 1, text.end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == '+';
  });
}

}  // namespace

void Parser::parse(const Value& document) {
  document_.source = document;
  document_.block.pointer = "/do";
  ObjectReader top(findings_, document, "");
  if (!top.is_object()) return;
  parse_about(top);
  parse_use(top);
  parse_state(top);
  parse_ends(top);
  if (const Value* timeout = top.take("timeout")) document_.timeout = parse_timeout(*timeout, "/timeout");
  if (std::optional<std::string> durability = top.text("durability")) {
    if (*durability == "sync")
      document_.durability = RunDurability::kSync;
    else if (*durability == "exit")
      document_.durability = RunDurability::kExit;
    else if (*durability != "async")
      top.report("durability", "must be sync, async or exit");
  }
  top.unsupported("budget");
  top.unsupported("priority");
  if (const Value* tasks = top.require("do")) document_.block = parse_block(*tasks, "/do");
  check_exports(document_, findings_);
}

void Parser::parse_about(ObjectReader& top) {
  const Value* about = top.require("document");
  if (!about) return;
  document_.about = *about;
  ObjectReader reader(findings_, *about, "/document");
  const auto name = [&](std::string_view key) {
    std::string text = reader.text(key, true).value_or("");
    if (reader.has(key) && reader.is_object() && about->get(key).is_string() &&
        (text.empty() || text.size() > kMaxNameBytes))
      reader.report(key, "must have 1 to 64 bytes");
    return text;
  };
  document_.dsl = reader.text("dsl", true).value_or("");
  if (!document_.dsl.empty() && !(document_.dsl.starts_with("1.0.") && is_semver(document_.dsl)))
    reader.report(
        "dsl", "this build reads version 1.0.x of the language, not '" + document_.dsl.substr(0, 40) + "'");
  document_.space = name("namespace");
  document_.name = name("name");
  document_.version = name("version");
  if (!document_.version.empty() && !is_semver(document_.version))
    reader.report("version", "must be a semantic version such as 1.0.0");
  reader.text("title");
  reader.text("summary");
  if (const Value* tags = reader.take("tags"); tags && !tags->is_object())
    reader.report("tags", "must be an object, is " + std::string(type_name(tags->type())));
}

void Parser::parse_use(ObjectReader& top) {
  const Value* use = top.take("use");
  if (!use) return;
  ObjectReader reader(findings_, *use, "/use");
  for (std::string_view word :
       {"models", "secrets", "functions", "authentications", "extensions", "catalogs", "errors"})
    reader.unsupported(word);
  const auto each = [&](std::string_view key, auto&& parse_one) {
    const Value* group = reader.take(key);
    if (!group) return;
    const std::string pointer = reader.at(key);
    if (!group->is_object()) {
      report(pointer, "must be an object, is " + std::string(type_name(group->type())));
      return;
    }
    for (const auto& [name, value] : group->as_object()) parse_one(name, value, pointer_join(pointer, name));
  };
  each("schemas", [&](const std::string& name, const Value& value, const std::string& pointer) {
    schemas_[name] = parse_schema_object(value, pointer);
  });
  each("timeouts", [&](const std::string& name, const Value& value, const std::string& pointer) {
    timeouts_[name] = parse_timeout_object(value, pointer);
  });
  each("retries", [&](const std::string& name, const Value& value, const std::string& pointer) {
    names_.push_back("error");
    retries_[name] = parse_retry_policy(value, pointer);
    names_.pop_back();
  });
  if (const Value* agents = reader.take("agents")) {
    parse_agents(*agents, "/use/agents");
    document_.agents = *agents;
  }
}

void Parser::parse_agents(const Value& agents, const std::string& pointer) {
  if (!agents.is_object())
    return report(pointer, "must be an object, is " + std::string(type_name(agents.type())));
  SchemaPtr schema = compile_schema(kinds_.agent_schema(), "the schema of agents", findings_);
  for (const auto& [name, agent] : agents.as_object()) {
    const std::string at = pointer_join(pointer, name);
    if (!agent.is_object()) {
      report(at, "must be an object, is " + std::string(type_name(agent.type())));
      continue;
    }
    const Value properties = kinds_.agent_schema().get("properties");
    Value known = Value::object();
    for (const auto& [key, value] : agent.as_object()) {
      const bool word = key == "ensemble" || key == "memory" || key == "tools" || key == "budget";
      if (word && !properties.find(key))
        add_finding(findings_, pointer_join(at, key),
                    "'" + key + "' of an agent is not executed by this build", "unsupported");
      else
        known = known.with(key, value);
    }
    if (schema) check_schema(*schema, known, at, findings_);
  }
}

void Parser::parse_state(ObjectReader& top) {
  const Value* state = top.take("state");
  if (!state) return;
  if (!state->is_object())
    return top.report("state", "must be an object, is " + std::string(type_name(state->type())));
  for (const auto& [key, value] : state->as_object()) {
    ObjectReader reader(findings_, value, pointer_join("/state", key));
    std::optional<std::string> name = reader.text("reducer", true);
    if (!name) continue;
    if (std::optional<Reducer> reducer = reducer_named(*name))
      document_.reducers[key] = *reducer;
    else
      reader.report("reducer", "must be replace, append, merge, sum or max");
  }
}

void Parser::parse_ends(ObjectReader& top) {
  if (const Value* input = top.take("input")) {
    ObjectReader reader(findings_, *input, "/input");
    if (const Value* schema = reader.take("schema"))
      document_.input_schema = parse_schema(*schema, "/input/schema");
    document_.input_from = formula(reader.take("from"), "/input/from");
  }
  if (const Value* output = top.take("output")) {
    ObjectReader reader(findings_, *output, "/output");
    if (const Value* schema = reader.take("schema"))
      document_.output_schema = parse_schema(*schema, "/output/schema");
    names_.push_back("output");
    document_.output_as = formula(reader.take("as"), "/output/as");
    names_.pop_back();
  }
}

}  // namespace consort::workflow
