// From messages to jobs: dispatch, and what language models do.
#include <fmt/format.h>

#include <utility>

#include "scheduler/host/host_core.h"
#include "scheduler/host/lost_call.h"
#include "scheduler/host/prompt_tokens.h"

namespace consort {

// ---- receiving thread: short ----------------------------------------------------------------------------

void HostCore::receive(Message m) {
  switch (m.type) {
    case MessageType::kRequest:
      return receive_request(std::move(m));
    case MessageType::kCancel:
    case MessageType::kNack:
      return cancel_call(m);  // a nack: nobody takes the chunks
    case MessageType::kCredit: {
      CallPtr call;
      {
        std::lock_guard lock(mutex_);
        if (const auto at = calls_.find(HostCall::key_of(m.from, m.correlation)); at != calls_.end())
          call = at->second;
      }
      if (call)
        call->add_credits(m.credits);
      else if (asks_for_call(m))
        (void)send(no_such_call(m));
      return;
    }
    case MessageType::kGoodbye: {
      (void)worker_->post([this, from = m.from] { end_sessions(from); });
      std::lock_guard lock(mutex_);
      const std::string prefix = HostCall::key_of(m.from, "");
      for (auto at = calls_.lower_bound(prefix); at != calls_.end() && at->first.rfind(prefix, 0) == 0; ++at)
        at->second->cancel();
      return;
    }
    default:
      return;
  }
}

void HostCore::cancel_call(const Message& m) {
  std::lock_guard lock(mutex_);
  if (const auto at = calls_.find(HostCall::key_of(m.from, m.correlation)); at != calls_.end())
    at->second->cancel();
}

void HostCore::receive_request(Message m) {
  auto call = std::make_shared<HostCall>(m, [weak = weak_from_this()](Message out) -> Status {
    const auto self = weak.lock();
    if (!self) return fail(ErrorKind::kNotFound, "the host is gone");
    return self->send(std::move(out));
  });
  const Value op = m.body.get("op");
  if (op.is_string() && op.as_string() == "ping") {
    call->answer(m.body.get("request"), {});
    return;
  }
  if (op.is_string() && op.as_string() == "stats") {
    call->answer(stats(), {});
    return;
  }
  Error refused;
  {
    std::lock_guard lock(mutex_);
    switch (state_) {
      case HostState::kReady:
      case HostState::kLoading:
        break;  // behind the load in the host's queue
      case HostState::kFailed:
        refused = failure_;
        break;
      case HostState::kAbsent:
        refused = {ErrorKind::kUnavailable, "the model is not loaded", id, "acquire it first"};
        break;
      case HostState::kDraining:
        refused = {ErrorKind::kUnavailable, "the model is being unloaded", id, "try again later"};
    }
    if (refused.what.empty() && !calls_.emplace(call->key(), call).second) return;  // the same request again
  }
  if (refused.what.empty()) {
    const Status posted = worker_->post([this, call, body = std::move(m.body),
                                         tensors = std::move(m.tensors)] { handle(call, body, tensors); });
    if (posted) return;
    refused = posted.error();
  }
  finish(call, call->answer(refused));
}

// ---- the host's thread ----------------------------------------------------------------------------------

Status HostCore::start(const CallPtr& call, const WireRequest& request) {
  struct Op {
    std::string_view name;
    Status (HostCore::*run)(const CallPtr&, const WireRequest&);
  };
  constexpr Op kOps[] = {{"generate", &HostCore::generate},     {"score", &HostCore::score},
                         {"score_text", &HostCore::score_text}, {"logits", &HostCore::logits},
                         {"embed", &HostCore::embed},           {"classify", &HostCore::classify},
                         {"rerank", &HostCore::rerank},         {"score_bytes", &HostCore::score_bytes},
                         {"open_bytes", &HostCore::open_bytes}, {"next_bytes", &HostCore::next_bytes},
                         {"fuse", &HostCore::fuse},
                         {"next_tokens", &HostCore::next_tokens}};
  for (const Op& op : kOps)
    if (op.name == request.op) return (this->*op.run)(call, request);
  return fail(ErrorKind::kInvalid, fmt::format("'{}' is not something a model does", request.op), id);
}

void HostCore::handle(CallPtr call, const Value& body, std::vector<TensorLease> tensors) {
  auto request = read_wire_request(body);
  Status accepted = request ? Status() : Status(forward_error(request));
  if (accepted && call->stop_token().stop_requested())
    accepted = fail(ErrorKind::kCancelled, "the request was cancelled");
  if (accepted) {
    std::lock_guard lock(mutex_);
    if (state_ == HostState::kFailed) accepted = tl::unexpected<Error>(failure_);
  }
  if (accepted) {
    request->tensors = std::move(tensors);
    accepted = start(call, *request);
  }
  if (accepted) return;  // the job's own callback answers
  if (accepted.error().where.empty()) accepted.error().where = id;
  finish(call, call->answer(accepted.error()));
}

JobTicket HostCore::ticket(const CallPtr& call, const WireRequest& request) const {
  return {request.work_class, call->deadline(), call->stop_token()};
}

Status HostCore::need_language_model(std::string_view op) const {
  if (language_) return {};
  if (!network_) return fail(ErrorKind::kUnavailable, "the model is not loaded", id, "acquire it first");
  return fail(ErrorKind::kUnsupported, fmt::format("the model is no language model, it cannot {}", op), id,
              "choose a language model");
}

namespace {

// How the text is drawn, and where it streams to.
void write_to(const CallPtr& call, GenerationOptions options, WritingJob& job) {
  static_cast<GenerationOptions&>(job) = std::move(options);
  job.on_text = [call](std::string_view text, std::span<const TokenId> ids) { call->add_text(text, ids); };
}

}  // namespace

Status HostCore::generate(const CallPtr& call, const WireRequest& request) {
  CONSORT_CHECK_OK(need_language_model("generate"));
  CONSORT_TRY(r, read_generate_request(request.request));
  GenerateJob job;
  CONSORT_TRY(prompt, prompt_tokens(*model_.tokenizer, model_.chat, r.prompt));
  job.prompt = std::move(prompt);
  write_to(call, std::move(r), job);
  job.done = answering<GenerateResult>(call);
  return language_->submit(std::move(job), ticket(call, request));
}

Status HostCore::fuse(const CallPtr& call, const WireRequest& request) {
  CONSORT_CHECK_OK(need_language_model("write in lock step"));
  CONSORT_TRY(r, read_fuse_request(request.request));
  FuseJob job;
  for (const FusedMember& member : r.members) {
    CONSORT_TRY(prompt, prompt_tokens(*model_.tokenizer, model_.chat, member.prompt));
    job.members.push_back({std::move(prompt), member.temperature});
  }
  job.combiner = std::move(r.combiner);
  write_to(call, std::move(r), job);
  job.done = answering<FuseResult>(call);
  return language_->submit(std::move(job), ticket(call, request));
}

Status HostCore::score(const CallPtr& call, const WireRequest& request) {
  CONSORT_CHECK_OK(need_language_model("score"));
  CONSORT_TRY(r, read_score_request(request.request));
  ScoreJob job;
  CONSORT_TRY(tokens, candidate_tokens(*model_.tokenizer, model_.chat, r));
  job.prompt = std::move(tokens.prompt);
  job.candidates = std::move(tokens.candidates);
  for (const std::string& candidate : r.candidates) job.bytes.push_back(candidate.size());
  job.bypass_prefix_cache = r.bypass_prefix_cache;
  job.done = answering<ScoreResult>(call);
  return language_->submit(std::move(job), ticket(call, request));
}

Status HostCore::score_text(const CallPtr& call, const WireRequest& request) {
  CONSORT_CHECK_OK(need_language_model("score"));
  CONSORT_TRY(r, read_score_text_request(request.request));
  ScoreTextJob job;
  job.tokens = model_.tokenizer->encode(r.text);
  if (model_.tokenizer->adds_bos()) job.bos = model_.tokenizer->bos();
  job.context = r.context;
  job.file_bytes = r.text.size();
  job.done = answering<ScoreTextResult>(call);
  return language_->submit(std::move(job), ticket(call, request));
}

Status HostCore::logits(const CallPtr& call, const WireRequest& request) {
  CONSORT_CHECK_OK(need_language_model("give logits"));
  CONSORT_TRY(r, read_logits_request(request.request));
  LogitsJob job;
  job.tokens = std::move(r.token_ids);
  job.top = r.top;
  job.done = answering<LogitsResult>(call);
  return language_->submit(std::move(job), ticket(call, request));
}

}  // namespace consort
