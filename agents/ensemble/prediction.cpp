#include "agents/ensemble/prediction.h"

#include <cmath>

#include "scheduler/schema/schema.h"
#include "scheduler/value/pointer.h"

namespace consort {
namespace {

// Written here so that reading is strict; see prediction.h.
const char* const kTableSchema = R"json({
  "type": "object", "required": ["members"], "additionalProperties": false,
  "properties": {
    "candidates": {"type": "array", "items": {"type": "string"}},
    "members": {"type": "array", "items": {
      "type": "object", "required": ["name"], "additionalProperties": false,
      "properties": {
        "name": {"type": "string"},
        "weight": {"type": "number", "minimum": 0},
        "validation": {"type": ["number", "null"]},
        "answer": {"type": ["string", "null"]},
        "logprobNats": {"type": "number"},
        "bytes": {"type": "integer", "minimum": 0, "maximum": 1000000000000},
        "scores": {"type": "array", "items": {
          "type": "object", "required": ["logprobNats", "bytes"], "additionalProperties": false,
          "properties": {"logprobNats": {"type": "number"},
                         "bytes": {"type": "integer", "minimum": 0, "maximum": 1000000000000},
                         "tokens": {"type": "integer", "minimum": 0, "maximum": 1000000000}}}},
        "cost": {"type": "object", "additionalProperties": false,
          "properties": {"tokens": {"type": "integer", "minimum": 0, "maximum": 1000000000000},
                         "milliseconds": {"type": "number", "minimum": 0},
                         "flop": {"type": "number", "minimum": 0}, "bytes": {"type": "number", "minimum": 0}}},
        "error": {"type": ["string", "null"]}}}}}
})json";

const Schema& table_schema() {
  static const Schema schema = *Schema::compile(*parse_json(kTableSchema));
  return schema;
}

double number(const Value& v, std::string_view key, double otherwise) {
  const Value* found = v.find(key);
  return found && found->is_number() ? found->as_number() : otherwise;
}

template <typename T>
T whole(const Value& v, std::string_view key) {
  return static_cast<T>(number(v, key, 0));  // the schema bounds it
}

MemberPrediction member_from(const Value& v) {
  MemberPrediction member;
  member.name = v.get("name").as_string();
  member.weight = number(v, "weight", 1);
  if (v.get("validation").is_number()) member.validation = v.get("validation").as_number();
  if (v.get("answer").is_string()) member.answer = v.get("answer").as_string();
  member.answer_logprob_nats = number(v, "logprobNats", 0);
  member.answer_bytes = whole<std::size_t>(v, "bytes");
  const Value scores = v.get("scores");
  if (scores.is_array()) {
    for (const Value& s : scores.as_array()) {
      member.scores.push_back(
          {number(s, "logprobNats", 0), whole<std::size_t>(s, "bytes"), whole<int>(s, "tokens")});
    }
  }
  const Value cost = v.get("cost");
  member.cost = {whole<std::int64_t>(cost, "tokens"), number(cost, "milliseconds", 0),
                 number(cost, "flop", 0), number(cost, "bytes", 0)};
  if (v.get("error").is_string())
    member.error = Error{ErrorKind::kRuntime, v.get("error").as_string(), {}, {}};
  return member;
}

}  // namespace

Value to_value(const MemberCost& cost) {
  return Value::object({{"tokens", cost.tokens},
                        {"milliseconds", cost.milliseconds},
                        {"flop", cost.flop},
                        {"bytes", cost.bytes}});
}

Value to_value(const PredictionTable& table) {
  Value::Array candidates, members;
  for (const std::string& candidate : table.candidates) candidates.emplace_back(candidate);
  for (const MemberPrediction& member : table.members) {
    Value::Object made = {{"name", member.name}, {"weight", member.weight}};
    if (member.validation) made.emplace_back("validation", *member.validation);
    if (member.answer) {
      made.emplace_back("answer", *member.answer);
      made.emplace_back("logprobNats", member.answer_logprob_nats);
      made.emplace_back("bytes", Value(static_cast<std::uint64_t>(member.answer_bytes)));
    }
    if (!member.scores.empty()) {
      Value::Array scores;
      for (const CandidateScore& score : member.scores) {
        scores.push_back(Value::object({{"logprobNats", score.logprob_nats},
                                        {"bytes", Value(static_cast<std::uint64_t>(score.bytes))},
                                        {"tokens", score.tokens}}));
      }
      made.emplace_back("scores", Value::array(std::move(scores)));
    }
    made.emplace_back("cost", to_value(member.cost));
    if (member.error) made.emplace_back("error", member.error->what);
    members.push_back(Value::object(std::move(made)));
  }
  return Value::object(
      {{"candidates", Value::array(std::move(candidates))}, {"members", Value::array(std::move(members))}});
}

Result<PredictionTable> prediction_table_from(const Value& v) {
  CONSORT_CHECK_OK(table_schema().check(v));
  PredictionTable table;
  const Value candidates = v.get("candidates");
  if (candidates.is_array()) {
    for (const Value& candidate : candidates.as_array()) table.candidates.push_back(candidate.as_string());
  }
  const Value members = v.get("members");
  for (const Value& member : members.as_array()) table.members.push_back(member_from(member));
  return table;
}

}  // namespace consort
