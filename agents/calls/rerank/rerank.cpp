// call: rerank. Passages in the order of how well they answer a query, as a cross-encoder sees it.
#include <algorithm>
#include <numeric>

#include "agents/calls/model_call.h"

namespace consort {
namespace {

constexpr std::string_view kSchema =
#include "agents/calls/rerank/schema.json.inc"
    ;

// The passages' texts: of `passages`, or of `hits` of a retrieve call.
Result<std::vector<TextPair>> read_pairs(const Value& with) {
  const Value *passages = with.find("passages"), *hits = with.find("hits");
  if ((passages != nullptr) == (hits != nullptr))
    return fail(ErrorKind::kInvalid, "give exactly one of passages and hits", "with");
  const std::string& query = with.get("query").as_string();
  std::vector<TextPair> pairs;
  for (const Value& v : (passages != nullptr ? passages : hits)->as_array()) {
    const Value text = v.is_string() ? v : v.get("text");
    if (!text.is_string())
      return fail(ErrorKind::kInvalid, "a hit has no text", "with/hits/" + std::to_string(pairs.size()));
    pairs.push_back({query, text.as_string()});
  }
  return pairs;
}

// A hit with the reranker's score in place of the search's, which stays as retrievalScore.
Value hit_value(const Value& given, double score, std::size_t index, bool truncated) {
  Value hit = given.is_string() ? Value::object({{"text", given}}) : given;
  if (const Value* before = hit.find("score")) hit = hit.with("retrievalScore", *before);
  hit = hit.with("score", score).with("index", index);
  return truncated ? hit.with("truncated", true) : hit;
}

class RerankCall final : public CallHandler {
 public:
  explicit RerankCall(CallServices services) : CallHandler(services, "rerank", kSchema) {}

  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override {
    auto pairs = read_pairs(with);
    if (!pairs) co_return forward_error(pairs);
    if (pairs->empty()) co_return TaskOutcome{Value::object({{"hits", Value::array()}}), Value()};
    RerankRequest request{std::move(*pairs)};
    auto asked = ask_model(services_.models, with.get("model").as_string(), &ModelHandle::rerank,
                           std::move(request), request_context(context));
    auto result = co_await std::move(asked);
    if (!result) co_return forward_error(result);
    if (auto good = first_error(*result, false); !good) co_return forward_error(good);
    co_return TaskOutcome{output_value(*result, with), usage_value(result->usage)};
  }

 private:
  static Value output_value(const RerankResult& result, const Value& with) {
    const Value given = with.find("hits") != nullptr ? with.get("hits") : with.get("passages");
    std::vector<std::size_t> order(result.scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return result.scores[a] > result.scores[b]; });
    if (const Value* top = with.find("topK"))
      order.resize(std::min(order.size(), static_cast<std::size_t>(top->as_integer())));
    Value::Array hits;
    for (const std::size_t i : order)
      hits.push_back(hit_value(given.as_array()[i], result.scores[i], i, result.truncated[i]));
    return Value::object({{"hits", Value::array(std::move(hits))}});
  }
};

}  // namespace

std::shared_ptr<TaskHandler> make_rerank_call(CallServices services) {
  return std::make_shared<RerankCall>(services);
}

}  // namespace consort
