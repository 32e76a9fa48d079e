#include "protocols/cli/commands/commands.h"

namespace consort {

const std::vector<AddCommand>& commands() {
  static const std::vector<AddCommand> all = {add_bench,    add_classify, add_embed,   add_ensemble, add_eval,
                                              add_generate, add_logits,   add_memory,  add_models,   add_node,
                                              add_probe,    add_render,   add_rerank,  add_run,      add_runs,
                                              add_score,    add_tokenize, add_version, add_workflow};
  return all;
}

}  // namespace consort
