// Workflow text: JSON from outside becomes a checked Workflow, once. All findings are reported together.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/workflow/workflow.h"

namespace consort {

// Parses the text (every duplicate key is a finding with its pointer) and then the document.
WorkflowParse read_workflow(std::string_view text, const CallKinds& kinds, WorkflowSource* source = nullptr);
// The same from a file. Errors: kNotFound or kIo for the file; findings are in the WorkflowParse.
Result<WorkflowParse> read_workflow_file(const std::string& path, const CallKinds& kinds,
                                         WorkflowSource* source = nullptr);

// `run.workflow` documents: every *.json of one folder, by document.namespace, name and version. Files are
// read when they are asked for and kept. One thread at a time.
class FolderWorkflows : public WorkflowSource {
 public:
  FolderWorkflows(std::string folder, std::shared_ptr<const CallKinds> kinds);
  ~FolderWorkflows() override;
  Result<WorkflowPtr> find(std::string_view space, std::string_view name, std::string_view version) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The published schema as pretty JSON text (`consort workflow schema`).
std::string workflow_schema_text(const CallKinds& kinds);

}  // namespace consort
