#include "agents/calls/embedding.h"

#include <algorithm>

#include "agents/calls/blocking.h"

namespace consort {
namespace {

constexpr std::size_t kTextsAtATime = 128;

Status take_rows(const EmbedResult& result, std::size_t wanted, EmbeddedTexts& out) {
  if (!result.errors.empty()) return tl::unexpected<Error>(result.errors.front().error);
  const std::int64_t width = result.embeddings.view.cols();
  const bool tokens = result.level == EmbeddingLevel::kPart;
  if (result.items() != wanted || width < 1) {
    return fail(ErrorKind::kRuntime, "the model returned another number of embeddings than there are texts");
  }
  for (std::size_t i = 0; i < wanted; ++i) {
    const TensorView rows = result.item(i);
    if (rows.rows() < 1 || (!tokens && rows.rows() != 1))
      return fail(ErrorKind::kRuntime,
                  "the model returned another number of embeddings than there are texts");
    const float* first = rows.as<float>();
    out.vectors.emplace_back(first, first + rows.rows() * width);
    out.truncated.push_back(i < result.truncated.size() && result.truncated[i]);
  }
  out.space.dimension = static_cast<std::size_t>(width);
  out.space.metric = tokens ? VectorMetric::kMaxSim : VectorMetric::kCosine;
  if (!result.model_digest.empty()) out.space.fingerprint = result.model_digest;
  out.usage += result.usage;
  return {};
}

}  // namespace

Async<EmbeddedTexts> embed_texts(ModelDirectory& models, std::string model, std::vector<std::string> texts,
                                 std::string input_type, RequestContext context,
                                 std::optional<EmbeddingLevel> level) {
  EmbeddedTexts out;
  auto handle = co_await models.acquire(model, context);
  if (!handle) co_return forward_error(handle);
  out.space.name = handle->id();
  out.space.fingerprint = handle->id();  // where a model's weights have no digest, its name must do
  for (std::size_t at = 0; at < texts.size(); at += kTextsAtATime) {
    const std::size_t count = std::min(kTextsAtATime, texts.size() - at);
    EmbedRequest request;
    request.input_type = input_type;
    request.level = level;
    const auto first = std::make_move_iterator(texts.begin() + static_cast<std::ptrdiff_t>(at));
    request.inputs = text_inputs({first, first + static_cast<std::ptrdiff_t>(count)});
    auto result = co_await handle->embed(std::move(request), context);
    if (!result) co_return forward_error(result);
    if (auto taken = take_rows(*result, count, out); !taken) co_return forward_error(taken);
  }
  co_return out;
}

}  // namespace consort
