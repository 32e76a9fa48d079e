#include "scheduler/host/model_handle.h"

#include <algorithm>
#include <utility>

#include "scheduler/host/model_client.h"
#include "scheduler/host/model_host.h"
#include "scheduler/host/wire.h"

namespace consort {
namespace {

using Reply = ModelClient::Reply;

// Hands a stream's chunks to the caller's sink and knows how far it came.
struct StreamState {
  TextSink sink;
  std::size_t bytes = 0, ids = 0;

  void take(const Message& m) {
    auto chunk = read_text_chunk(m.body);
    if (!chunk) return;  // the answer brings the whole text
    bytes += chunk->text.size();
    ids += chunk->ids.size();
    sink(chunk->text, chunk->ids);
  }
  // What no chunk brought: the rest of the result.
  void complete(const GenerateResult& r) {
    const std::size_t from = std::min(bytes, r.text.size());
    const std::size_t first = std::min(ids, r.token_ids.size());
    if (from == r.text.size() && first == r.token_ids.size()) return;
    sink(std::string_view(r.text).substr(from),
         {r.token_ids.begin() + static_cast<std::ptrdiff_t>(first), r.token_ids.end()});
  }
};

std::shared_ptr<StreamState> stream_to(TextSink sink) {
  if (!sink) return nullptr;
  auto stream = std::make_shared<StreamState>();
  stream->sink = std::move(sink);
  return stream;
}

ModelClient::ChunkSink chunks_of(const std::shared_ptr<StreamState>& stream) {
  if (!stream) return {};
  return [stream](const Message& m) { stream->take(m); };
}

ModelClient::OnStop on_stop(bool keep_partial) {
  return keep_partial ? ModelClient::OnStop::kAwaitAnswer : ModelClient::OnStop::kEnd;
}

boost::asio::awaitable<Result<Reply>> ask(std::shared_ptr<ModelClient> client, std::string id, std::string op,
                                          Value request, RequestContext context,
                                          ModelClient::ChunkSink sink = {},
                                          std::vector<TensorLease> tensors = {},
                                          ModelClient::OnStop on_stop = ModelClient::OnStop::kEnd) {
  if (!client) co_return fail(ErrorKind::kInvalid, "an empty model handle was used");
  Value body = wire_request(op, std::move(request), context.work_class);
  auto answered = client->call(model_address(id), std::move(body), std::move(context), std::move(sink),
                               std::move(tensors), on_stop);
  co_return co_await std::move(answered);
}

tl::unexpected<Error> another_number(const std::string& model) {
  return fail(ErrorKind::kRuntime, "the model answered about another number of items", model);
}

}  // namespace

Async<GenerateResult> ModelHandle::generate(GenerateRequest request, RequestContext context,
                                            TextSink sink) const {
  auto stream = stream_to(std::move(sink));
  auto answered = ask(client_, model_id_, "generate", to_wire(request), std::move(context),
                      chunks_of(stream), {}, on_stop(request.keep_partial));
  Result<Reply> reply = co_await std::move(answered);
  if (!reply) co_return forward_error(reply);
  Result<GenerateResult> result = read_generate_result(reply->body, reply->tensors);
  if (result && stream) stream->complete(*result);
  co_return result;
}

Async<FuseResult> ModelHandle::fuse(FuseRequest request, RequestContext context, TextSink sink) const {
  auto stream = stream_to(std::move(sink));
  auto answered = ask(client_, model_id_, "fuse", to_wire(request), std::move(context), chunks_of(stream), {},
                      on_stop(request.keep_partial));
  Result<Reply> reply = co_await std::move(answered);
  if (!reply) co_return forward_error(reply);
  Result<FuseResult> result = read_fuse_result(reply->body, reply->tensors);
  if (result && result->members.size() != request.members.size()) co_return another_number(model_id_);
  if (result && stream) stream->complete(*result);
  co_return result;
}

Async<ScoreResult> ModelHandle::score(ScoreRequest request, RequestContext context) const {
  auto answered = ask(client_, model_id_, "score", to_wire(request), std::move(context));
  Result<Reply> reply = co_await std::move(answered);
  if (!reply) co_return forward_error(reply);
  Result<ScoreResult> result = read_score_result(reply->body, reply->tensors);
  if (result && result->candidates.size() != request.candidates.size())
    co_return fail(ErrorKind::kRuntime, "the model scored another number of candidates", model_id_);
  co_return result;
}

Async<ScoreTextResult> ModelHandle::score_text(ScoreTextRequest request, RequestContext context) const {
  auto answered = ask(client_, model_id_, "score_text", to_wire(request), std::move(context));
  Result<Reply> reply = co_await std::move(answered);
  if (!reply) co_return forward_error(reply);
  co_return read_score_text_result(reply->body, reply->tensors);
}

Async<EmbedResult> ModelHandle::embed(EmbedRequest request, RequestContext context) const {
  std::vector<TensorLease> tensors;
  Value body = to_wire(request, tensors);
  auto answered =
      ask(client_, model_id_, "embed", std::move(body), std::move(context), {}, std::move(tensors));
  Result<Reply> reply = co_await std::move(answered);
  if (!reply) co_return forward_error(reply);
  Result<EmbedResult> result = read_embed_result(reply->body, reply->tensors);
  if (result && result->items() != request.inputs.size()) co_return another_number(model_id_);
  co_return result;
}

Async<ClassifyResult> ModelHandle::classify(ClassifyRequest request, RequestContext context) const {
  std::vector<TensorLease> tensors;
  Value body = to_wire(request, tensors);
  auto answered =
      ask(client_, model_id_, "classify", std::move(body), std::move(context), {}, std::move(tensors));
  Result<Reply> reply = co_await std::move(answered);
  if (!reply) co_return forward_error(reply);
  Result<ClassifyResult> result = read_classify_result(reply->body, reply->tensors);
  if (result && result->decisions.size() != request.inputs.size()) co_return another_number(model_id_);
  co_return result;
}

Async<RerankResult> ModelHandle::rerank(RerankRequest request, RequestContext context) const {
  auto answered = ask(client_, model_id_, "rerank", to_wire(request), std::move(context));
  Result<Reply> reply = co_await std::move(answered);
  if (!reply) co_return forward_error(reply);
  Result<RerankResult> result = read_rerank_result(reply->body, reply->tensors);
  if (result && result->scores.size() != request.pairs.size()) co_return another_number(model_id_);
  co_return result;
}

Async<LogitsResult> ModelHandle::logits(LogitsRequest request, RequestContext context) const {
  auto answered = ask(client_, model_id_, "logits", to_wire(request), std::move(context));
  Result<Reply> reply = co_await std::move(answered);
  if (!reply) co_return forward_error(reply);
  co_return read_logits_result(reply->body, reply->tensors);
}

Async<ScoreBytesResult> ModelHandle::score_bytes(ScoreBytesRequest request, RequestContext context) const {
  auto answered = ask(client_, model_id_, "score_bytes", to_wire(request), std::move(context));
  Result<Reply> reply = co_await std::move(answered);
  if (!reply) co_return forward_error(reply);
  Result<ScoreBytesResult> result = read_score_bytes_result(reply->body, reply->tensors);
  const std::size_t bytes = request.covers ? request.text.size() : 0;
  if (result && (result->byte_logprobs.size() != bytes || result->kept.size() != bytes))
    co_return fail(ErrorKind::kRuntime, "the model scored another number of bytes", model_id_);
  co_return result;
}

Async<NextTokensResult> ModelHandle::next_tokens(NextTokensRequest request, RequestContext context) const {
  auto answered = ask(client_, model_id_, "next_tokens", to_wire(request), std::move(context));
  Result<Reply> reply = co_await std::move(answered);
  if (!reply) co_return forward_error(reply);
  Result<NextTokensResult> result = read_next_tokens_result(reply->body, reply->tensors);
  if (result && result->wanted_logprobs.size() != request.wanted.size())
    co_return fail(ErrorKind::kRuntime, "the model looked up another number of strings", model_id_);
  co_return result;
}

Async<NextBytesResult> ModelHandle::open_bytes(OpenBytesRequest request, RequestContext context) const {
  auto answered = ask(client_, model_id_, "open_bytes", to_wire(request), std::move(context));
  Result<Reply> reply = co_await std::move(answered);
  if (!reply) co_return forward_error(reply);
  co_return read_next_bytes_result(reply->body, reply->tensors);
}

Async<NextBytesResult> ModelHandle::next_bytes(NextBytesRequest request, RequestContext context) const {
  auto answered = ask(client_, model_id_, "next_bytes", to_wire(request), std::move(context));
  Result<Reply> reply = co_await std::move(answered);
  if (!reply) co_return forward_error(reply);
  co_return read_next_bytes_result(reply->body, reply->tensors);
}

Async<Value> ModelHandle::ping(Value body, RequestContext context) const {
  auto answered = ask(client_, model_id_, "ping", std::move(body), std::move(context));
  Result<Reply> reply = co_await std::move(answered);
  if (!reply) co_return forward_error(reply);
  co_return std::move(reply->body);
}

}  // namespace consort
