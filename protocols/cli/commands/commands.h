// The commands, one file each in this folder. Adding one: its file, its line here and in commands.cpp.
#pragma once

#include "protocols/cli/context.h"

namespace consort {

void add_bench(CLI::App& app, CliContext& c);
void add_classify(CLI::App& app, CliContext& c);
void add_embed(CLI::App& app, CliContext& c);
void add_ensemble(CLI::App& app, CliContext& c);
void add_eval(CLI::App& app, CliContext& c);
void add_generate(CLI::App& app, CliContext& c);
void add_logits(CLI::App& app, CliContext& c);
void add_memory(CLI::App& app, CliContext& c);
void add_models(CLI::App& app, CliContext& c);
void add_node(CLI::App& app, CliContext& c);
void add_probe(CLI::App& app, CliContext& c);
void add_render(CLI::App& app, CliContext& c);
void add_rerank(CLI::App& app, CliContext& c);
void add_run(CLI::App& app, CliContext& c);
void add_runs(CLI::App& app, CliContext& c);
void add_score(CLI::App& app, CliContext& c);
void add_tokenize(CLI::App& app, CliContext& c);
void add_version(CLI::App& app, CliContext& c);
void add_workflow(CLI::App& app, CliContext& c);

}  // namespace consort
