// call: remember. Items for the shared memory, with their provenance; they commit with the task's result.
#include <algorithm>

#include "agents/calls/blocking.h"
#include "agents/calls/embedding.h"
#include "agents/calls/memory_values.h"
#include "agents/calls/options.h"

namespace consort {
namespace {

constexpr std::string_view kSchema =
#include "agents/calls/remember/schema.json.inc"
    ;

std::string text_member(const Value& object, std::string_view key, std::string_view otherwise) {
  const Value* v = object.find(key);
  return v && v->is_string() ? v->as_string() : std::string(otherwise);
}

Result<std::vector<NewItem>> read_items(const Value& list, const TaskContext& context) {
  std::vector<NewItem> items;
  for (const Value& v : list.as_array()) {
    NewItem item;
    const bool text_only = v.is_string();
    if (const Value* vector = text_only ? nullptr : v.find("vector")) item.embedding = read_vector(*vector);
    item.text = text_only ? v.as_string() : v.get("text").as_string();
    item.external_id = text_only ? "" : text_member(v, "id", "");
    item.provenance = {text_only ? "run" : text_member(v, "source", "run"), context.run_id,
                       context.task_pointer, text_only ? "" : text_member(v, "modelDigest", "")};
    if (!text_only) {
      auto metadata = read_metadata(v.get("metadata"));
      if (!metadata) {
        metadata.error().where = "with/items/" + std::to_string(items.size()) + "/" + metadata.error().where;
        return forward_error(metadata);
      }
      item.metadata = std::move(*metadata);
    }
    items.push_back(std::move(item));
  }
  return items;
}

// The vectors that the items bring along, in a space that the caller names. Errors: kInvalid unless every
// item has one, all of one length, and `space` says where they belong.
Result<std::optional<VectorSpace>> given_space(const Value& with, const std::vector<NewItem>& items) {
  const auto bring = static_cast<std::size_t>(
      std::count_if(items.begin(), items.end(), [](const NewItem& i) { return !i.embedding.empty(); }));
  const Value* space = with.find("space");
  if (space == nullptr && bring == 0) return std::nullopt;
  if (space == nullptr || bring != items.size() || items.empty()) {
    return fail(ErrorKind::kInvalid,
                "either every item has a 'vector' and 'space' names where they belong, or none",
                "with/items");
  }
  if (with.find("model") && !with.get("model").is_null()) {
    return fail(ErrorKind::kInvalid, "items with their own vectors need no encoder", "with/model",
                "leave 'model' out");
  }
  VectorSpace out;
  out.name = space->as_string();
  out.fingerprint = text_member(with, "fingerprint", out.name);
  out.dimension = items.front().embedding.size();
  return out;
}

Value output_value(const MemoryPlan& plan, const std::optional<VectorSpace>& space,
                   const std::vector<bool>& truncated) {
  Value::Array items;
  std::int64_t written = 0;
  for (std::size_t i = 0; i < plan.items.size(); ++i) {
    const ItemOutcome& outcome = plan.items[i];
    written += outcome.change == ItemChange::kCreated || outcome.change == ItemChange::kUpdated;
    items.push_back(Value::object({{"id", item_id_text(outcome.id)},
                                   {"change", item_change_name(outcome.change)},
                                   {"truncated", i < truncated.size() && truncated[i]}}));
  }
  return Value::object({{"items", Value::array(std::move(items))},
                        {"written", written},
                        {"space", space ? Value(space->name) : Value()}});
}

class RememberCall final : public TaskHandler {
 public:
  explicit RememberCall(CallServices services) : services_(services), schema_(embedded_schema(kSchema)) {}
  std::string_view kind() const override { return "remember"; }
  const Value& options_schema() const override { return schema_; }

  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override {
    if (services_.retrieval == nullptr) co_return not_connected("remember", "a store");
    auto items = read_items(with.get("items"), context);
    if (!items) co_return forward_error(items);
    RememberOptions options;
    if (const Value* dedupe = with.find("dedupe")) options.dedupe_text = dedupe->as_bool();
    std::vector<bool> truncated;
    Value usage;
    const Value* model = with.find("model");
    auto given = given_space(with, *items);
    if (!given) co_return forward_error(given);
    options.space = std::move(*given);
    if (!options.space && !items->empty() && !(model && model->is_null())) {
      if (services_.models == nullptr) co_return not_connected("remember", "models");
      std::vector<std::string> texts;
      for (const NewItem& item : *items) texts.push_back(item.text);
      std::string name = model ? model->as_string() : kDefaultEmbedder;
      auto embedded = co_await embed_texts(*services_.models, std::move(name), std::move(texts), "document",
                                           request_context(context));
      if (!embedded) co_return forward_error(embedded);
      for (std::size_t i = 0; i < items->size(); ++i) (*items)[i].embedding = std::move(embedded->vectors[i]);
      options.space = embedded->space;
      truncated = std::move(embedded->truncated);
      usage = usage_value(embedded->usage);
    }
    const auto space = options.space;
    auto work = [retrieval = services_.retrieval, name = with.get("namespace").as_string(),
                 list = std::move(*items), options] { return retrieval->plan_remember(name, list, options); };
    auto plan = co_await on_blocking_pool(std::move(work));
    if (!plan) co_return forward_error(plan);
    Value output = output_value(*plan, space, truncated);
    if (context.write) {
      for (StoreWrite& write : plan->writes) context.write(std::move(write));
    } else {  // outside a journaled run
      auto commit = [retrieval = services_.retrieval, p = std::move(*plan)] { return retrieval->commit(p); };
      auto done = co_await on_blocking_pool(std::move(commit));
      if (!done) co_return forward_error(done);
    }
    co_return TaskOutcome{std::move(output), usage};
  }

 private:
  CallServices services_;
  Value schema_;
};

}  // namespace

std::shared_ptr<TaskHandler> make_remember_call(CallServices services) {
  return std::make_shared<RememberCall>(services);
}

}  // namespace consort
