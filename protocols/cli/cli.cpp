#include "protocols/cli/cli.h"

#include <pthread.h>
#include <unistd.h>
#include <csignal>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>
#include <thread>
#include <utility>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "kernels/cpu/isa.h"
#include "protocols/cli/context.h"

namespace consort {
namespace {

// SIGINT and SIGTERM are blocked in every thread and read by one: the first asks the command to stop, the
// second ends the process. Nothing runs in a signal handler.
void watch_signals(CliContext& context) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::thread([&context, set] {
    for (int count = 0;; ++count) {
      int signal = 0;
      if (sigwait(&set, &signal) != 0) return;
      if (count > 0) _exit(130);
      context.stop.request_stop();
    }
  }).detach();
}

void add_global_options(Command app, Options& o) {
  app.add_option("--config", o.config_file, "configuration file").type_name("FILE");
  app.add_option("--data-dir", o.data_dir, "folder of the store (CONSORT_DATA_DIR)").type_name("DIR");
  app.add_option("--models-dir", o.models_dir, "folder of the weights (CONSORT_MODELS_DIR)").type_name("DIR");
  app.add_option("--threads", o.threads, "compute threads (default: the cores this process may use)");
  app.add_option("--device", o.device, "auto | cpu").type_name("DEVICE");
  app.add_option("--bus", o.bus, "ipc://PATH: the models live in a `consort node --join` of that address")
      .type_name("ADDRESS");
  app.add_option("--isa", o.isa, "force an instruction set: scalar | avx2 | avx512").type_name("ISA");
  app.add_option("--precision", o.precision,
                 "encoders with float weights: file (float32 products, the default) | int16 (faster)")
      .type_name("PRECISION");
  app.add_option("--activations", o.activations,
                 "language models with quantised weights: int16 (the default) | int8 (faster, less exact) | bf16 | "
                 "float32 (slower)")
      .type_name("TYPE");
  app.add_option("--packed-cache", o.packed_cache,
                 "packed weights kept in DIR/packed of the weights' folder: on (the default) | off | check (compare "
                 "their digests at every load)")
      .type_name("MODE");
  app.add_option("--seed", o.seed, "seed of everything random (default: random, printed)");
  app.add_flag("--json", o.json, "results as JSON");
  app.add_flag("--quiet", o.quiet, "no progress, no hints");
  app.add_option("--log-level", o.log_level, "trace | debug | info | warn | error | off")
      .one_of({"trace", "debug", "info", "warn", "error", "off"});
}

// Standard output is for results, so the log goes to standard error.
void start_log(const std::string& level) {
  auto log = spdlog::stderr_logger_mt("consort");
  log->set_pattern("consort: %l: %v");
  log->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(log));
}

// `consort help X` says what `consort X --help` says.
std::vector<std::string> arguments(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  if (!args.empty() && args.front() == "help") {
    args.erase(args.begin());
    args.push_back("--help");
  }
  return args;
}

Result<int> act(CliContext& context) {
  CONSORT_CHECK_OK(resolve_options(context.options));
  if (!context.options.isa.empty()) {
    const auto isa = isa_from_name(context.options.isa);
    if (!isa || !isa_supported(*isa))
      return fail(ErrorKind::kUsage, "instruction set '" + context.options.isa + "' is not to be had here",
                  "--isa", "this processor's best is " + std::string(isa_name(best_isa())));
  }
  return context.action();
}

Result<int> guarded(CliContext& context) {
  try {
    return act(context);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "out of memory", "",
                "lower kvBudget or memoryLimit, or load fewer models");
  } catch (const std::exception& e) {
    return fail(ErrorKind::kRuntime, std::string("unexpected failure: ") + e.what(), "",
                "please report this with the command that caused it");
  }
}

}  // namespace

int run_cli(int argc, char** argv) {
  // Lives to the end of the process: the signal thread refers to it.
  auto& context = *new CliContext;
  watch_signals(context);
  CommandLine line(
      "consort",
      "Consort hosts ensembles of foundation models and runs agent workflows written in JSON.\n"
      "First steps:  consort models pull smollm2-135m-instruct\n"
      "              consort generate --model smollm2-135m-instruct --prompt 'What is a fjord?'\n"
      "Exit status: 0 done, 2 usage, 3 invalid input, 4 missing, 5 failed, 6 waits for an approval, 130 "
      "interrupted.",
      "`consort help COMMAND` shows a command's options.");
  add_global_options(line.program(), context.options);
  for (AddCommand add : commands()) add(line.program(), context);
  bool json = false;
  for (int i = 1; i < argc; ++i) json = json || std::string_view(argv[i]) == "--json";
  const CommandLine::Outcome outcome = line.parse(arguments(argc, argv));
  if (outcome.finished) return outcome.status;
  if (!outcome.error.empty()) {
    context.console.configure(json, false);
    return context.console.fail({ErrorKind::kUsage, outcome.error, "", "see consort --help"});
  }
  context.console.configure(context.options.json, context.options.quiet);
  start_log(context.options.log_level);
  auto status = guarded(context);
  if (!status) return context.console.fail(status.error());
  return *status;
}

}  // namespace consort
