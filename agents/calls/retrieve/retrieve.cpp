// call: retrieve. Search of the shared memory by words, by meaning or both.
#include "agents/calls/blocking.h"
#include "agents/calls/memory_search.h"
#include "agents/calls/memory_values.h"
#include "agents/calls/model_call.h"

namespace consort {
namespace {

constexpr std::string_view kSchema =
#include "agents/calls/retrieve/schema.json.inc"
    ;

Result<SearchQuery> read_query(const Value& with) {
  SearchQuery query;
  query.name_space = with.get("namespace").as_string();
  if (const Value* text = with.find("query")) query.text = text->as_string();
  if (const Value* vector = with.find("vector")) {
    if (!with.find("space")) {
      return fail(ErrorKind::kInvalid, "a 'vector' needs the name of its 'space'", "with/vector");
    }
    query.vector = read_vector(*vector);
    query.space = with.get("space").as_string();
    query.fingerprint = with.find("fingerprint") ? with.get("fingerprint").as_string() : query.space;
    query.mode = query.text.empty() ? SearchMode::kDense : SearchMode::kHybrid;
  }
  if (const Value* mode = with.find("mode")) {
    query.mode = parse_search_mode(mode->as_string()).value_or(SearchMode::kHybrid);
  }
  if (query.text.empty() && (query.vector.empty() || query.mode != SearchMode::kDense)) {
    return fail(ErrorKind::kInvalid, "a search needs a 'query', or a 'vector' with mode dense", "with");
  }
  if (const Value* k = with.find("topK")) query.top_k = static_cast<std::size_t>(k->as_integer());
  if (const Value* depth = with.find("depth")) query.depth = static_cast<std::size_t>(depth->as_integer());
  if (const Value* k = with.find("rrfK")) query.fusion.k = k->as_number();
  if (const Value* weights = with.find("weights")) {
    if (const Value* w = weights->find("lexical")) query.fusion.lexical_weight = w->as_number();
    if (const Value* w = weights->find("dense")) query.fusion.dense_weight = w->as_number();
  }
  if (const Value* filter = with.find("filter")) {
    CONSORT_TRY(read, read_filter(*filter));
    query.filter = std::move(read);
  }
  return query;
}

class RetrieveCall final : public CallHandler {
 public:
  explicit RetrieveCall(CallServices services) : CallHandler(services, "retrieve", kSchema) {}

  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override {
    if (services_.retrieval == nullptr) co_return not_connected("retrieve", "a store");
    auto query = read_query(with);
    if (!query) co_return forward_error(query);
    MemorySearch search;
    search.query = std::move(*query);
    const SearchMode mode = search.query.mode;
    if (const Value* model = with.find("model")) search.model = model->as_string();
    if (const Value* rerank = with.find("rerank")) {
      search.rerank = rerank->get("model").as_string();
      if (const Value* n = rerank->find("candidates"))
        search.candidates = static_cast<std::size_t>(n->as_integer());
    }
    const bool asks = !search.rerank.empty() || (mode != SearchMode::kLexical && search.query.vector.empty());
    auto searching =
        search_memory(services_.retrieval, services_.models, std::move(search), request_context(context));
    auto found = co_await std::move(searching);
    if (!found) co_return forward_error(found);
    co_return TaskOutcome{search_value(found->result, mode), asks ? usage_value(found->usage) : Value()};
  }
};

}  // namespace

std::shared_ptr<TaskHandler> make_retrieve_call(CallServices services) {
  return std::make_shared<RetrieveCall>(services);
}

}  // namespace consort
