#include "protocols/cli/commands/commands.h"

namespace consort {

const std::vector<AddCommand>& commands() {
  static const std::vector<AddCommand> all = {add_models, add_render, add_tokenize, add_version};
  return all;
}

}  // namespace consort
