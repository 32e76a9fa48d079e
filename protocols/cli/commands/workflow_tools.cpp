#include "protocols/cli/commands/workflow_tools.h"

#include <filesystem>

namespace consort {

Result<LoadedWorkflow> load_workflow(const std::string& path, std::shared_ptr<const CallKinds> kinds) {
  LoadedWorkflow loaded;
  std::string folder = std::filesystem::path(path).parent_path().string();
  loaded.folder = std::make_unique<FolderWorkflows>(folder.empty() ? "." : folder, kinds);
  CONSORT_TRY(parsed, read_workflow_file(path, *kinds, loaded.folder.get()));
  loaded.workflow = parsed.workflow;
  loaded.findings = std::move(parsed.findings);
  return loaded;
}

}  // namespace consort
