// call: probe. What heads that were fitted on frozen embeddings say of an item.
#include "agents/calls/blocking.h"
#include "agents/calls/model_call.h"
#include "agents/calls/probe/probing.h"

namespace consort {
namespace {

constexpr std::string_view kSchema =
#include "agents/calls/probe/schema.json.inc"
    ;

Result<Value> output_value(const ProbeFile& file, const probe_call::ItemRows& rows, bool single) {
  Value::Array items;
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    CONSORT_TRY(value, probe_call::predictions_value(file, rows.rows[i]));
    items.push_back(rows.truncated[i] ? value.with("truncated", true) : std::move(value));
  }
  return single ? items.front() : Value::object({{"items", Value::array(std::move(items))}});
}

class ProbeCall final : public CallHandler {
 public:
  explicit ProbeCall(CallServices services) : CallHandler(services, "probe", kSchema) {}

  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override {
    if (services_.models == nullptr) co_return not_connected("probe", "models");
    auto load = [path = with.get("probe").as_string()] { return load_probes(path); };
    auto loading = on_blocking_pool(std::move(load));
    auto file = co_await std::move(loading);
    if (!file) co_return forward_error(file);
    auto inputs = read_model_inputs(with.get("input"), services_.blobs);
    if (!inputs) co_return forward_error(inputs);
    if (inputs->items.empty()) co_return TaskOutcome{Value::object({{"items", Value::array()}}), Value()};
    auto asking = probe_call::embed_for_probe(*services_.models, *file, std::move(inputs->items),
                                              request_context(context));
    auto rows = co_await std::move(asking);
    if (!rows) co_return forward_error(rows);
    ItemReport report;
    report.errors = rows->errors;
    if (auto good = first_error(report, inputs->single); !good) co_return forward_error(good);
    auto output = output_value(*file, *rows, inputs->single);
    if (!output) co_return forward_error(output);
    co_return TaskOutcome{std::move(*output), usage_value(rows->usage)};
  }
};

}  // namespace

std::shared_ptr<TaskHandler> make_probe_call(CallServices services) {
  return std::make_shared<ProbeCall>(services);
}

}  // namespace consort
