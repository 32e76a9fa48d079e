// A workflow as a picture (`consort workflow graph`): Mermaid text, or SVG in layers from top to bottom.
#pragma once

#include <string>

#include "scheduler/workflow/workflow.h"

namespace consort {

std::string workflow_mermaid(const Workflow& workflow);
std::string workflow_svg(const Workflow& workflow);  // self-contained, light and dark by CSS

}  // namespace consort
