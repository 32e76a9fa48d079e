// Workflow: a workflow document, read whole, checked whole, typed and hashed before anything of it runs.
// Immutable; shared by reference; any thread may read. What the language means: README of this folder.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/value/value.h"
#include "scheduler/workflow/call_kinds.h"
#include "scheduler/workflow/finding.h"

namespace consort {

namespace workflow {
struct Document;  // the typed tasks; scheduler/workflow/document.h
}

class Workflow;
using WorkflowPtr = std::shared_ptr<const Workflow>;

// Where `run: {workflow: {...}}` finds other documents. protocols/json has one that reads a folder.
class WorkflowSource {
 public:
  virtual ~WorkflowSource() = default;
  // `version` may be empty or "latest". Errors: kNotFound, or what is wrong with that document.
  virtual Result<WorkflowPtr> find(std::string_view space, std::string_view name,
                                   std::string_view version) = 0;
};

struct WorkflowParse {
  WorkflowPtr workflow;           // null exactly when there are findings
  std::vector<Finding> findings;  // all of them, in document order as far as they have one
};

class Workflow {
 public:
  // Reads a document. `source` may be null: then `run.workflow` is a finding. Sub-workflows are read here
  // too, so that a run pins them; one that leads back to itself is a finding.
  static WorkflowParse parse(const Value& document, const CallKinds& kinds, WorkflowSource* source = nullptr);

  const std::string& space() const;  // document.namespace
  const std::string& name() const;
  const std::string& version() const;
  // SHA-256 (64 hex digits) over the document as compact JSON and the hashes of its sub-workflows.
  const std::string& hash() const;
  const Value& source() const;  // the document as it was read
  const Value& agents() const;  // use.agents, or null
  const workflow::Document& document() const { return *document_; }

  explicit Workflow(std::unique_ptr<const workflow::Document> document);
  ~Workflow();

 private:
  std::unique_ptr<const workflow::Document> document_;
};

// The JSON Schema (2020-12) of workflow documents, `with` assembled from the kinds' options schemas.
Value workflow_schema(const CallKinds& kinds);

}  // namespace consort
