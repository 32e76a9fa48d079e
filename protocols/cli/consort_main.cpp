// The program. Only composition: every command lives in protocols/cli.
#include "protocols/cli/cli.h"

int main(int argc, char** argv) { return consort::run_cli(argc, argv); }
