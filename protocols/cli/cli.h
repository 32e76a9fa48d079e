// The command line (contract: README, "Commands"). Results go to stdout, everything for people to stderr.
#pragma once

namespace consort {

// Parses argv, runs one command, returns its exit status: 0 done, 2 usage, 3 invalid input, 4 missing, 5 failed
// at run time, 6 waiting for an approval, 130 interrupted. Throws nothing.
int run_cli(int argc, char** argv);

}  // namespace consort
