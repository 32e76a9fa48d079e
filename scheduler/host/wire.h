// Requests and results as message bodies and tensors, and back. Decoding trusts nothing: unknown keys,
// missing ones, wrong types and tensors that do not fit are kInvalid. See wire_reader.h for how values are
// written.
//
// A request's body is {"op": "generate" | "fuse" | "score" | "score_text" | "embed" | "classify" | "rerank" | "logits"
// | "score_bytes" | "open_bytes" | "next_bytes"
// | "next_tokens" | "ping" | "stats" | "load" | "release", "class": "interactive" | "batch" | "training",
// "request": {...}}; a response's body is the result's object; an error's body is {"kind", "what", "where",
// "hint"}. Bytes of pictures and files are tensors of the request's message (u8), never text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/bus/message.h"
#include "scheduler/host/requests.h"
#include "scheduler/value/value.h"

namespace consort {

struct WireRequest {
  std::string op;
  WorkClass work_class = WorkClass::kInteractive;
  Value request;
  std::vector<TensorLease> tensors;  // of the message; not part of the body
};
Value wire_request(std::string_view op, Value request, WorkClass work_class = WorkClass::kInteractive);
Result<WireRequest> read_wire_request(const Value& body);

Value to_wire(const GenerateRequest& r);
Value to_wire(const FuseRequest& r);
Value to_wire(const ScoreRequest& r);
Value to_wire(const ScoreTextRequest& r);
Value to_wire(const EmbedRequest& r, std::vector<TensorLease>& tensors);
Value to_wire(const ClassifyRequest& r, std::vector<TensorLease>& tensors);
Value to_wire(const RerankRequest& r);
Value to_wire(const LogitsRequest& r);
Value to_wire(const ScoreBytesRequest& r);
Value to_wire(const NextTokensRequest& r);
Value to_wire(const OpenBytesRequest& r);
Value to_wire(const NextBytesRequest& r);
Value to_wire(const GenerateResult& r, std::vector<TensorLease>& tensors);
Value to_wire(const FuseResult& r, std::vector<TensorLease>& tensors);
Value to_wire(const ScoreResult& r, std::vector<TensorLease>& tensors);
Value to_wire(const ScoreTextResult& r, std::vector<TensorLease>& tensors);
Value to_wire(const EmbedResult& r, std::vector<TensorLease>& tensors);
Value to_wire(const ClassifyResult& r, std::vector<TensorLease>& tensors);
Value to_wire(const RerankResult& r, std::vector<TensorLease>& tensors);
Value to_wire(const LogitsResult& r, std::vector<TensorLease>& tensors);
Value to_wire(const ScoreBytesResult& r, std::vector<TensorLease>& tensors);
Value to_wire(const NextTokensResult& r, std::vector<TensorLease>& tensors);
Value to_wire(const NextBytesResult& r, std::vector<TensorLease>& tensors);
Value to_wire(const Error& e);

Result<GenerateRequest> read_generate_request(const Value& v);
Result<FuseRequest> read_fuse_request(const Value& v);
Result<ScoreRequest> read_score_request(const Value& v);
Result<ScoreTextRequest> read_score_text_request(const Value& v);
Result<EmbedRequest> read_embed_request(const Value& v, const std::vector<TensorLease>& tensors);
Result<ClassifyRequest> read_classify_request(const Value& v, const std::vector<TensorLease>& tensors);
Result<RerankRequest> read_rerank_request(const Value& v);
Result<LogitsRequest> read_logits_request(const Value& v);
Result<ScoreBytesRequest> read_score_bytes_request(const Value& v);
Result<NextTokensRequest> read_next_tokens_request(const Value& v);
Result<OpenBytesRequest> read_open_bytes_request(const Value& v);
Result<NextBytesRequest> read_next_bytes_request(const Value& v);
Result<GenerateResult> read_generate_result(const Value& v, const std::vector<TensorLease>& tensors);
Result<FuseResult> read_fuse_result(const Value& v, const std::vector<TensorLease>& tensors);
Result<ScoreResult> read_score_result(const Value& v, const std::vector<TensorLease>& tensors);
Result<ScoreTextResult> read_score_text_result(const Value& v, const std::vector<TensorLease>& tensors);
Result<EmbedResult> read_embed_result(const Value& v, const std::vector<TensorLease>& tensors);
Result<ClassifyResult> read_classify_result(const Value& v, const std::vector<TensorLease>& tensors);
Result<RerankResult> read_rerank_result(const Value& v, const std::vector<TensorLease>& tensors);
Result<LogitsResult> read_logits_result(const Value& v, const std::vector<TensorLease>& tensors);
Result<ScoreBytesResult> read_score_bytes_result(const Value& v, const std::vector<TensorLease>& tensors);
Result<NextTokensResult> read_next_tokens_result(const Value& v, const std::vector<TensorLease>& tensors);
Result<NextBytesResult> read_next_bytes_result(const Value& v, const std::vector<TensorLease>& tensors);
Error read_error(const Value& v);  // a malformed one becomes kRuntime

struct TextChunk {
  std::string text;
  std::vector<TokenId> ids;
};
Value to_wire(const TextChunk& c);
Result<TextChunk> read_text_chunk(const Value& v);

}  // namespace consort
