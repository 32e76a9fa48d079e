// Errors and results as JSON text for the outside (RFC 9457).
#pragma once

#include <string>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/workflow/finding.h"
#include "scheduler/workflow/problem.h"

namespace consort {

// {"type": "urn:consort:error:notFound", "title", "status", "detail", "instance"?, "hint"?}: any Error of the
// program, `type` by its ErrorKind.
std::string error_json(const Error& error);
// A workflow's problem: the same shape, `type` by the workflow's names.
std::string problem_json(const Problem& problem);
// A document with findings: a problem with {"findings": [{pointer, kind, message}]}.
std::string findings_json(const std::vector<Finding>& findings, std::string_view where);

}  // namespace consort
