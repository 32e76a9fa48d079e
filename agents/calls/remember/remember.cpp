// call: remember. Items for the shared memory, with their provenance; they commit with the task's result.
#include <algorithm>

#include "agents/calls/blocking.h"
#include "agents/calls/memory_values.h"
#include "agents/calls/model_call.h"
#include "agents/calls/pictures.h"

namespace consort {
namespace {

constexpr std::string_view kSchema =
#include "agents/calls/remember/schema.json.inc"
    ;

std::string text_member(const Value& object, std::string_view key, std::string_view otherwise) {
  const Value* v = object.find(key);
  return v && v->is_string() ? v->as_string() : std::string(otherwise);
}

// The items of the call; `pictures` gets the places of those that are pictures.
Result<std::vector<NewItem>> read_items(const Value& list, const TaskContext& context,
                                        std::vector<std::size_t>& pictures) {
  std::vector<NewItem> items;
  for (const Value& v : list.as_array()) {
    NewItem item;
    if (v.find("image") != nullptr)
      pictures.push_back(items.size());
    else if (v.is_object() && v.find("text") == nullptr)
      return fail(ErrorKind::kInvalid, "an item has neither a text nor an image",
                  "with/items/" + std::to_string(items.size()));
    const bool text_only = v.is_string();
    if (const Value* vector = text_only ? nullptr : v.find("vector")) item.embedding = read_vector(*vector);
    item.text = text_only ? v.as_string() : text_member(v, "text", "");
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

// One call from its options to the plan of its writes.
class Session {
 public:
  Session(const CallServices& services, const TaskContext& context, Value with)
      : services_(services), context_(context), with_(std::move(with)) {}
  boost::asio::awaitable<Result<TaskOutcome>> run();

 private:
  boost::asio::awaitable<Status> embed_items(std::string encoder);
  boost::asio::awaitable<Status> describe(std::string encoder);
  boost::asio::awaitable<Status> embed_rest(std::string encoder);
  boost::asio::awaitable<Status> commit(MemoryPlan plan);
  Status take_space(const VectorSpace& space);

  const CallServices& services_;
  const TaskContext& context_;
  const Value with_;
  std::vector<NewItem> items_;
  std::vector<std::size_t> pictures_;
  std::vector<bool> truncated_;
  std::vector<StoreWrite> blob_writes_;
  RememberOptions options_;
  Usage usage_;
};

Status Session::take_space(const VectorSpace& space) {
  if (options_.space && !(*options_.space == space))
    return fail(ErrorKind::kInvalid,
                "the pictures' vectors are of space '" + options_.space->name + "', the texts' of '" +
                    space.name + "'",
                "with/pictures", "use one encoder for both");
  options_.space = space;
  return {};
}

// Pictures by the projector, texts by the encoder, all in one space.
boost::asio::awaitable<Status> Session::embed_items(std::string encoder) {
  if (services_.models == nullptr) co_return not_connected("remember", "models");
  truncated_.assign(items_.size(), false);
  if (!pictures_.empty()) {
    auto describing = describe(encoder);
    if (auto done = co_await std::move(describing); !done) co_return forward_error(done);
  }
  if (pictures_.size() < items_.size()) {
    auto embedding = embed_rest(std::move(encoder));
    if (auto done = co_await std::move(embedding); !done) co_return forward_error(done);
  }
  co_return Status();
}

boost::asio::awaitable<Status> Session::describe(std::string encoder) {
  if (services_.blobs == nullptr) co_return not_connected("remember", "blobs");
  auto projector =
      make_projector(*services_.models, read_projection(with_.get("pictures"), std::move(encoder)));
  if (!projector) co_return forward_error(projector);
  const Value list = with_.get("items");
  std::vector<Picture> pictures;
  for (const std::size_t i : pictures_)
    pictures.push_back({list.as_array()[i].get("image"), std::move(items_[i]), std::nullopt});
  auto describing =
      describe_pictures(**projector, *services_.blobs, std::move(pictures), request_context(context_));
  auto described = co_await std::move(describing);
  if (!described) co_return forward_error(described);
  for (std::size_t n = 0; n < pictures_.size(); ++n) {
    Picture& picture = described->pictures[n];
    if (picture.error) {
      picture.error->what = "item " + std::to_string(pictures_[n]) + ": " + picture.error->what;
      co_return tl::unexpected<Error>(std::move(*picture.error));
    }
    items_[pictures_[n]] = std::move(picture.item);
  }
  blob_writes_ = std::move(described->writes);
  usage_ += described->usage;
  co_return take_space(described->space);
}

boost::asio::awaitable<Status> Session::embed_rest(std::string encoder) {
  std::vector<std::string> texts;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (std::binary_search(pictures_.begin(), pictures_.end(), i)) continue;
    places.push_back(i);
    texts.push_back(items_[i].text);
  }
  auto embedding = embed_texts(*services_.models, std::move(encoder), std::move(texts), "document",
                               request_context(context_), std::nullopt);
  auto embedded = co_await std::move(embedding);
  if (!embedded) co_return forward_error(embedded);
  for (std::size_t n = 0; n < places.size(); ++n) {
    items_[places[n]].embedding = std::move(embedded->vectors[n]);
    truncated_[places[n]] = embedded->truncated[n];
  }
  usage_ += embedded->usage;
  co_return take_space(embedded->space);
}

boost::asio::awaitable<Status> Session::commit(MemoryPlan plan) {
  for (StoreWrite& write : blob_writes_) plan.writes.push_back(std::move(write));
  if (context_.write) {
    for (StoreWrite& write : plan.writes) context_.write(std::move(write));
    co_return Status();
  }
  auto work = [retrieval = services_.retrieval, p = std::move(plan)] { return retrieval->commit(p); };
  co_return co_await on_blocking_pool(std::move(work));  // outside a journaled run
}

boost::asio::awaitable<Result<TaskOutcome>> Session::run() {
  if (services_.retrieval == nullptr) co_return not_connected("remember", "a store");
  auto items = read_items(with_.get("items"), context_, pictures_);
  if (!items) co_return forward_error(items);
  items_ = std::move(*items);
  if (const Value* dedupe = with_.find("dedupe")) options_.dedupe_text = dedupe->as_bool();
  const Value* model = with_.find("model");
  auto given = given_space(with_, items_);
  if (!given) co_return forward_error(given);
  options_.space = std::move(*given);
  const bool no_vectors = model != nullptr && model->is_null();
  if (!pictures_.empty() && (no_vectors || options_.space))
    co_return fail(ErrorKind::kInvalid, "pictures need an encoder", "with/model");
  if (!options_.space && !items_.empty() && !no_vectors) {
    auto embedding = embed_items(model != nullptr ? model->as_string() : kDefaultEmbedder);
    if (auto done = co_await std::move(embedding); !done) co_return forward_error(done);
  }
  const auto space = options_.space;
  auto work = [retrieval = services_.retrieval, name = with_.get("namespace").as_string(),
               list = std::move(items_),
               options = options_] { return retrieval->plan_remember(name, list, options); };
  auto plan = co_await on_blocking_pool(std::move(work));
  if (!plan) co_return forward_error(plan);
  Value output = output_value(*plan, space, truncated_);
  auto committing = commit(std::move(*plan));
  if (auto done = co_await std::move(committing); !done) co_return forward_error(done);
  co_return TaskOutcome{std::move(output), space ? usage_value(usage_) : Value()};
}

class RememberCall final : public CallHandler {
 public:
  explicit RememberCall(CallServices services) : CallHandler(services, "remember", kSchema) {}

  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override {
    Session session(services_, context, std::move(with));
    auto running = session.run();
    co_return co_await std::move(running);
  }
};

}  // namespace

std::shared_ptr<TaskHandler> make_remember_call(CallServices services) {
  return std::make_shared<RememberCall>(services);
}

}  // namespace consort
