// What language models do byte by byte: scores of a text, and sessions.
#include <fmt/format.h>

#include <random>
#include <utility>

#include "scheduler/host/host_core.h"
#include "scheduler/host/prompt_tokens.h"

namespace consort {
namespace {

std::string new_session_name() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

}  // namespace

Status HostCore::score_bytes(const CallPtr& call, const WireRequest& request) {
  CONSORT_CHECK_OK(need_language_model("score bytes"));
  CONSORT_TRY(r, read_score_bytes_request(request.request));
  const Tokenizer& tokenizer = *model_.tokenizer;
  ByteScoreJob job;
  if (r.prompt) {
    CONSORT_TRY(prompt, prompt_tokens(tokenizer, model_.chat, *r.prompt));
    job.prompt = std::move(prompt);
  }
  job.tokens = tokenizer.encode(r.text);
  job.text = std::move(r.text);
  if (tokenizer.adds_leading_space()) {
    job.text.insert(job.text.begin(), ' ');
    job.hidden = 1;
  }
  if (tokenizer.adds_bos()) job.bos = tokenizer.bos();
  job.context = r.context;
  job.covers = r.covers;
  job.doubt = r.doubt;
  job.cover = r.cover;
  job.done = answering<ScoreBytesResult>(call);
  return language_->submit(std::move(job), ticket(call, request));
}

Status HostCore::open_bytes(const CallPtr& call, const WireRequest& request) {
  CONSORT_CHECK_OK(need_language_model("open a session of bytes"));
  CONSORT_TRY(r, read_open_bytes_request(request.request));
  CONSORT_TRY(prompt, byte_prompt(*model_.tokenizer, model_.chat, r.prompt, r.heal));
  const std::string name = new_session_name();
  auto box = std::make_shared<ByteMailbox>();
  ByteSessionJob job{
      std::move(prompt.tokens), std::move(prompt.given), r.max_bytes, r.max_strands, r.cover, box, r.rewind};
  CONSORT_CHECK_OK(
      box->put({{}, false, [answer = answering<NextBytesResult>(call), name](Result<NextBytesResult> result) {
                  if (result) result->session = name;
                  answer(std::move(result));
                }}));
  JobTicket session = ticket(call, request);
  session.stop = {};  // outlives this call
  session.deadline = kNoDeadline;
  CONSORT_CHECK_OK(language_->submit(std::move(job), std::move(session)));
  std::lock_guard lock(mutex_);
  sessions_[HostCall::key_of(call->client(), name)] = std::move(box);
  return {};
}

Status HostCore::next_bytes(const CallPtr& call, const WireRequest& request) {
  CONSORT_CHECK_OK(need_language_model("continue a session of bytes"));
  CONSORT_TRY(r, read_next_bytes_request(request.request));
  std::shared_ptr<ByteMailbox> box;
  {
    std::lock_guard lock(mutex_);
    const auto at = sessions_.find(HostCall::key_of(call->client(), r.session));
    if (at == sessions_.end()) return fail(ErrorKind::kNotFound, "there is no such session", id, "open one");
    box = at->second;
    if (r.close) sessions_.erase(at);
  }
  CONSORT_CHECK_OK(box->put(
      {std::move(r.steps), r.close,
       [answer = answering<NextBytesResult>(call), name = r.session](Result<NextBytesResult> result) {
         if (result) result->session = name;
         answer(std::move(result));
       },
       r.path}));
  language_->poke();
  return {};
}

void HostCore::end_sessions(const std::string& client) {
  std::lock_guard lock(mutex_);
  const std::string prefix = HostCall::key_of(client, "");
  for (auto at = sessions_.lower_bound(prefix); at != sessions_.end() && at->first.rfind(prefix, 0) == 0;) {
    (void)at->second->put({{}, true, [](const Result<NextBytesResult>&) {}});
    at = sessions_.erase(at);
  }
  if (language_) language_->poke();
}

}  // namespace consort
