// consort version: version, build features, instruction sets, devices.
#include "kernels/cpu/isa.h"
#include "kernels/exec/thread_pool.h"
#include "protocols/cli/commands/commands.h"

namespace consort {
namespace {

constexpr const char* kVersion = CONSORT_VERSION;

Result<int> version(CliContext& c) {
  Value::Array sets;
  for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512})
    if (isa_supported(isa)) sets.push_back(std::string(isa_name(isa)));
  const Value devices = Value::array({Value::object({{"name", "cpu"}, {"cores", usable_cores()}})});
  if (c.options.json) {
    c.console.result(Value::object({{"version", kVersion},
                                    {"features", Value::array({"cpu", "zmq", "rocksdb"})},
                                    {"instruction_sets", Value::array(sets)},
                                    {"devices", devices}}));
    return 0;
  }
  std::string names;
  for (const Value& v : sets) names += " " + v.as_string();
  c.console.line(std::string("consort ") + kVersion + "\ninstruction sets:" + names + "\ndevices: cpu (" +
                 std::to_string(usable_cores()) + " cores)");
  return 0;
}

}  // namespace

void add_version(Command app, CliContext& c) {
  app.add_subcommand("version", "version, build features, instruction sets, devices").callback([&c] {
    c.action = [&c] { return version(c); };
  });
}

}  // namespace consort
