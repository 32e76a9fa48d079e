// The commands, one file each in this folder. Adding one: its file, its line here and in commands.cpp.
#pragma once

#include "protocols/cli/context.h"

namespace consort {

void add_version(CLI::App& app, CliContext& c);

}  // namespace consort
