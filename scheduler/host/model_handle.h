// ModelHandle: a model as agents and commands see it, wherever it lives. Every call is a request on the bus;
// the answer comes back as chunks and a response. Copyable; any thread may start a call; the awaitable
// resumes on the executor it was started on.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "memory/base/status.h"
#include "scheduler/bus/channel.h"
#include "scheduler/host/requests.h"

namespace consort {

template <typename T>
using Async = boost::asio::awaitable<Result<T>>;

// Called on the channel's receiving thread for each chunk of text as it is generated.
using TextSink = std::function<void(std::string_view text, const std::vector<TokenId>& ids)>;

class ModelClient;  // owns the client's endpoint and its pending calls; scheduler/host/model_client.h

class ModelHandle {
 public:
  ModelHandle() = default;
  ModelHandle(std::shared_ptr<ModelClient> client, std::string model_id)
      : client_(std::move(client)), model_id_(std::move(model_id)) {}
  const std::string& id() const { return model_id_; }

  // Errors of all calls: what the model said (kInvalid for prompts beyond the context, ...), kNotFound when
  // no host serves the id, kTimeout past the deadline, kCancelled after a stop request, kUnavailable when the
  // model's queue is full or its host vanished.
  Async<GenerateResult> generate(GenerateRequest request, RequestContext context, TextSink sink = {}) const;
  // One text by several prompts or temperatures of this model, fused token by token.
  Async<FuseResult> fuse(FuseRequest request, RequestContext context, TextSink sink = {}) const;
  Async<ScoreResult> score(ScoreRequest request, RequestContext context) const;
  Async<ScoreTextResult> score_text(ScoreTextRequest request, RequestContext context) const;
  Async<EmbedResult> embed(EmbedRequest request, RequestContext context) const;
  Async<ClassifyResult> classify(ClassifyRequest request, RequestContext context) const;
  Async<RerankResult> rerank(RerankRequest request, RequestContext context) const;
  Async<LogitsResult> logits(LogitsRequest request, RequestContext context) const;
  // Every byte of a text, comparable between models of any tokenizers.
  Async<ScoreBytesResult> score_bytes(ScoreBytesRequest request, RequestContext context) const;
  // What comes next, as strings: of the likeliest tokens, and those that are asked for.
  Async<NextTokensResult> next_tokens(NextTokensRequest request, RequestContext context) const;
  // A session of growing bytes; NextBytesResult::session names it. Each answer has the next distribution.
  Async<NextBytesResult> open_bytes(OpenBytesRequest request, RequestContext context) const;
  Async<NextBytesResult> next_bytes(NextBytesRequest request, RequestContext context) const;
  Async<Value> ping(Value body, RequestContext context) const;  // there and back, does nothing (bench steps)

 private:
  std::shared_ptr<ModelClient> client_;
  std::string model_id_;
};

// Finds models by id and loads them when they are not there yet (through their hosts). Owned by main.
class ModelDirectory {
 public:
  virtual ~ModelDirectory() = default;
  // Loads if needed and holds a reference until the returned handle's last copy goes.
  virtual Async<ModelHandle> acquire(std::string id, RequestContext context) = 0;
  // {id: digest of its weights} of the models that were acquired here. A run keeps it. Any thread.
  virtual Value weights() const { return Value::object(); }
};

}  // namespace consort
