// Schema: JSON Schema (draft 2020-12 keywords, assertions only) compiled once and checked many times against
// Values. For configuration, workflow documents, `with` options and structured answers. Immutable, cheap to
// copy, any thread may validate.
//
// Keywords: type enum const · multipleOf maximum exclusiveMaximum minimum exclusiveMinimum · maxLength
// minLength pattern · prefixItems items contains minContains maxContains maxItems minItems uniqueItems ·
// properties patternProperties additionalProperties propertyNames required dependentRequired dependentSchemas
// maxProperties minProperties · allOf anyOf oneOf not if then else · $ref $anchor $defs; the draft-07 forms
// `definitions`, `dependencies`, `items: [...]` with `additionalItems`; annotations (title, description,
// default, examples, $comment, $schema, $id at the root, deprecated, readOnly, writeOnly, contentMediaType,
// contentEncoding, x-...).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort {

// One way in which an instance breaks its schema.
struct SchemaFinding {
  std::string instance;  // JSON Pointer into the instance
  std::string schema;    // JSON Pointer into the schema, of the keyword (after $ref: where it stands)
  std::string message;   // "must be an integer, is a string"
};

struct SchemaOptions {
  // Our own schemas: an unknown keyword is an error at compile, and so is `format` (nothing would check it).
  // Schemas from outside: both are ignored, as the specification says. Keywords of the specification that
  // change what is valid and that this validator does not do (unevaluatedProperties, $dynamicRef, ...) are
  // always errors.
  bool refuse_unknown_keywords = true;
};

class Schema {
 public:
  // Where a schema is wrong: kInvalid (kUnsupported for what is legal but not done here), `where` = "schema
  // <JSON Pointer>": an unknown keyword, a keyword with a value of the wrong type, a $ref that is not local
  // ("#",
  // "#/...", "#anchor"), goes nowhere or comes back to itself, a pattern outside
  // scheduler/expression/regex.h.
  static Result<Schema> compile(const Value& schema, const SchemaOptions& options = {});

  // All findings, in order of the schema's own keywords and the instance's own keys; at most `most`. Empty =
  // valid. The work is bounded by a step budget; its end is a finding.
  std::vector<SchemaFinding> validate(const Value& instance, std::size_t most = 100) const;
  // The same as one error: kInvalid, `what` = the first finding's message, `where` = its instance pointer.
  Status check(const Value& instance) const;

  struct Node;      // private to this room
  struct Compiled;  // private to this room

 private:
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace consort
