// What `run`, `runs` and `workflow` share: reading documents with this build's call kinds.
#pragma once

#include <memory>
#include <string>

#include "protocols/cli/context.h"
#include "protocols/json/workflow_text.h"
#include "scheduler/workflow/call_kinds.h"
#include "scheduler/workflow/workflow.h"

namespace consort {

// A document from a file, sub-workflows looked for in the same folder. `findings_out`, when given, gets the
// findings instead of an error.
struct LoadedWorkflow {
  WorkflowPtr workflow;
  std::vector<Finding> findings;
  std::unique_ptr<FolderWorkflows> folder;
};
Result<LoadedWorkflow> load_workflow(const std::string& path, std::shared_ptr<const CallKinds> kinds);

}  // namespace consort
