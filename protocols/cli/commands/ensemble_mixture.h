// The flags of `consort ensemble generate --combine byteMixture`.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocols/cli/command_line.h"
#include "scheduler/value/value.h"

namespace consort {

struct MixtureFlags {
  std::string pool, drafter, accept;
  std::optional<double> alpha, prune;
  std::optional<int> max_bytes, beams, heal, draft_bytes;
  std::vector<int> signals_at;
  bool all_cuts = false;
};

// The flags live as long as `flags` is held by the command.
void add_mixture_flags(Command sub, MixtureFlags& flags);
// The strategy's options; `trajectory`: the weights before every byte are wanted.
Value mixture_options(const MixtureFlags& flags, bool trajectory);
bool any_given(const MixtureFlags& flags);

}  // namespace consort
