// The commands, one file each in this folder. Adding one: its file, its line here and in commands.cpp.
#pragma once

#include "protocols/cli/context.h"

namespace consort {

void add_bench(Command app, CliContext& c);
void add_classify(Command app, CliContext& c);
void add_embed(Command app, CliContext& c);
void add_ensemble(Command app, CliContext& c);
void add_eval(Command app, CliContext& c);
void add_generate(Command app, CliContext& c);
void add_logits(Command app, CliContext& c);
void add_memory(Command app, CliContext& c);
void add_models(Command app, CliContext& c);
void add_node(Command app, CliContext& c);
void add_probe(Command app, CliContext& c);
void add_render(Command app, CliContext& c);
void add_rerank(Command app, CliContext& c);
void add_run(Command app, CliContext& c);
void add_runs(Command app, CliContext& c);
void add_score(Command app, CliContext& c);
void add_tokenize(Command app, CliContext& c);
void add_version(Command app, CliContext& c);
void add_workflow(Command app, CliContext& c);

}  // namespace consort
