// What the kinds have in common whose members write one text together. Private to this folder.
#pragma once

#include <span>

#include "agents/calls/ensemble/members.h"

namespace consort::ensemble_call {

// errors: one a member, null where it is there. Members fail hard unless errors are to be reported and enough
// are left; a call that was stopped always ends.
Status enough_members(std::span<const Error* const> errors, const Plan& plan);

}  // namespace consort::ensemble_call
