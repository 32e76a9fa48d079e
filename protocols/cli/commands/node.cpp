// consort node: hosts models for another process, which was started with --bus ADDRESS.
#include <condition_variable>
#include <mutex>

#include "protocols/cli/commands/commands.h"
#include "protocols/cli/engine.h"

namespace consort {
namespace {

struct Flags {
  std::string join;
  std::vector<std::string> models;
  int patience = 60;
};

// The other process may still be starting: asks again until it answers.
Result<std::unique_ptr<Engine>> join(CliContext& c, const Flags& f) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(f.patience);
  for (;;) {
    EngineSetup setup;
    setup.join = f.join;
    auto engine = Engine::start(c, std::move(setup));
    if (engine || engine.error().kind != ErrorKind::kUnavailable) return engine;
    if (c.stop.stop_requested()) return fail(ErrorKind::kCancelled, "interrupted while joining", f.join);
    if (std::chrono::steady_clock::now() >= until) return engine;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

Result<int> node(CliContext& c, const Flags& f) {
  CONSORT_TRY(engine, join(c, f));
  std::vector<ModelHandle> held;
  for (const std::string& model : f.models) {
    CONSORT_TRY(handle, engine->acquire(model));
    held.push_back(std::move(handle));
  }
  if (c.options.json)
    c.console.json_line(Value::object({{"status", "joined"}, {"bus", f.join}, {"models", held.size()}}));
  c.console.note("hosting models for " + f.join + "; Ctrl-C ends this");
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait(lock, c.stop.get_token(), [] { return false; });
  return 130;
}

}  // namespace

void add_node(Command app, CliContext& c) {
  auto sub = app.add_subcommand("node", "hosts models for another process (started with --bus ADDRESS)");
  auto f = std::make_shared<Flags>();
  sub.add_option("--join", f->join, "bus of the other process: ipc:///path").required();
  sub.add_option("--models", f->models, "load these at once: ID,ID,...; others when they are asked for")
      .delimiter(',');
  sub.add_option("--patience", f->patience, "seconds to wait for the other process")
      .in_range(0, 3600)
      .show_default();
  sub.callback([&c, f] { c.action = [&c, f] { return node(c, *f); }; });
}

}  // namespace consort
