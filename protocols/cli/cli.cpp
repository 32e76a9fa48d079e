#include "protocols/cli/cli.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "kernels/cpu/isa.h"

namespace consort {

int run_cli(int argc, char** argv) {
  CLI::App app{"Consort: ensembles of foundation models, orchestrated by workflows"};
  app.require_subcommand(1);
  app.add_subcommand("version", "version and instruction set")->callback([] {
    std::cout << "consort 0.1.0 (" << isa_name(best_isa()) << ")\n";
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return 0;
}

}  // namespace consort
