// Schema: JSON Schema (draft 2020-12 keywords, assertions only) compiled once and checked many times against
// Values. For configuration, workflow documents, `with` options and structured answers. Immutable, cheap to copy,
// any thread may validate.
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
  std::string message;   // "is a string, must be an integer"
};

struct SchemaOptions {
  // Our own schemas: an unknown keyword is an error at compile. Schemas from outside: it is ignored, as the
  // specification says.
  bool refuse_unknown_keywords = true;
  // JSON Pointer of the schema inside the document it was cut from, put before schema pointers in messages.
  std::string base_pointer;
};

class Schema {
 public:
  // kInvalid names the JSON Pointer of what is wrong: an unknown keyword, a keyword with a value of the wrong type,
  // a $ref that is not a local pointer ("#", "#/...", "#anchor") or goes nowhere, a pattern outside the bounded
  // syntax (scheduler/expression/regex.h).
  static Result<Schema> compile(const Value& schema, const SchemaOptions& options = {});

  // All findings, in order of the instance's and schema's own keys; at most `most` of them. Empty = valid.
  // Recursion through $ref is bounded by the instance's depth; the work by a step budget, whose end is a finding.
  std::vector<SchemaFinding> validate(const Value& instance, std::size_t most = 100) const;
  // The same as one error: kInvalid, "what" = the first finding's message, "where" = its instance pointer.
  Status check(const Value& instance) const;

 private:
  struct Node;
  struct Compiled;
  class Compiler;
  class Validator;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace consort
