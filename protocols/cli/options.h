// Options that every command takes, after flag, environment, user's file and shipped file were merged in that
// order of precedence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "memory/base/status.h"

namespace consort {

struct Options {
  // As given on the command line (empty or unset: not given).
  std::string config_file, data_dir, models_dir, device = "", isa, precision, activations, packed_cache, log_level = "warn", bus;
  int threads = 0;  // 0 = all usable cores
  std::optional<std::uint64_t> seed;
  bool json = false, quiet = false;

  // Found or read from the configuration.
  std::string project_dir;  // folder that holds configs/
  std::uint64_t memory_limit = std::uint64_t{8} << 30;
  std::uint64_t kv_budget = std::uint64_t{1} << 30;
  std::uint64_t value_bytes = 1 << 20;
  int queue_requests = 256;
};

// Fills what the command line left open: CONSORT_MODELS_DIR, CONSORT_DATA_DIR, the user's configuration
// ($XDG_CONFIG_HOME/consort/consort.json), the shipped configs/consort.json. Errors: kInvalid with a JSON
// Pointer for unknown keys and wrong types, kNotFound for a named file that is not there.
Status resolve_options(Options& options);

// The folder that holds the shipped `configs/`: beside the program's source tree or under its install prefix
// (share/consort), never the working directory. Empty when there is none.
std::string find_project_dir();

// "8 GiB", "512 MiB", 1048576 -> bytes.
Result<std::uint64_t> parse_bytes(const std::string& text);

}  // namespace consort
