// What comes next as strings: from a request to tokens, and the host's part.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "scheduler/decode/next_strings.h"
#include "scheduler/host/host_core.h"
#include "scheduler/host/prompt_tokens.h"

namespace consort {
namespace {

// A piece that a model wrote as one token. Where several have its bytes, the tokenizer's own choice counts.
Result<TokenId> own_token(const Tokenizer& tokenizer, const ByteVocabulary& vocabulary,
                          const std::string& piece) {
  const std::vector<TokenId> same = tokens_of_string(vocabulary, piece);
  if (same.empty())
    return fail(ErrorKind::kInvalid, "a piece is no token of the model", "pieces", "ask without own_pieces");
  if (same.size() == 1) return same.front();
  const std::vector<TokenId> encoded = running_tokens(tokenizer, piece);
  const bool chosen =
      encoded.size() == 1 && std::find(same.begin(), same.end(), encoded.front()) != same.end();
  return chosen ? encoded.front() : same.front();
}

}  // namespace

std::vector<TokenId> running_tokens(const Tokenizer& tokenizer, std::string_view text) {
  if (tokenizer.adds_leading_space() && !text.empty() && text.front() == ' ') text.remove_prefix(1);
  return tokenizer.encode(text);
}

Result<std::vector<TokenId>> piece_tokens(const Tokenizer& tokenizer, const ByteVocabulary& vocabulary,
                                          const NextTokensRequest& request) {
  std::string text;
  std::vector<TokenId> own;
  for (const std::string& piece : request.pieces) {
    if (piece.empty()) return fail(ErrorKind::kInvalid, "a piece of the text is empty", "pieces");
    if (request.own_pieces) {
      CONSORT_TRY(id, own_token(tokenizer, vocabulary, piece));
      own.push_back(id);
    } else {
      text += piece;
    }
  }
  return request.own_pieces ? own : running_tokens(tokenizer, text);
}

std::vector<TokenId> standing_tokens(const Tokenizer& tokenizer, const ByteVocabulary& vocabulary,
                                     std::string_view wanted) {
  std::vector<TokenId> ids = tokens_of_string(vocabulary, wanted);
  if (!ids.empty() || wanted.empty()) return ids;
  ids = running_tokens(tokenizer, wanted);
  if (ids.size() > 1) ids.resize(1);
  return ids;
}

Status HostCore::next_tokens(const CallPtr& call, const WireRequest& request) {
  CONSORT_CHECK_OK(need_language_model("say what comes next"));
  CONSORT_TRY(r, read_next_tokens_request(request.request));
  const Tokenizer& tokenizer = *model_.tokenizer;
  const ByteVocabulary& vocabulary = language_->byte_vocabulary();
  NextTokensJob job;
  CONSORT_TRY(prompt, prompt_tokens(tokenizer, model_.chat, r.prompt));
  CONSORT_TRY(text, piece_tokens(tokenizer, vocabulary, r));
  const auto context = static_cast<std::size_t>(language_->context_length());
  auto answer = answering<NextTokensResult>(call);
  if (prompt.size() <= context && prompt.size() + text.size() > context) {
    NextTokensResult full;
    full.full = true;
    full.wanted_logprobs.assign(r.wanted.size(), -std::numeric_limits<double>::infinity());
    answer(std::move(full));
    return {};
  }
  job.tokens = std::move(prompt);
  job.tokens.insert(job.tokens.end(), text.begin(), text.end());
  job.top = r.top;
  for (const std::string& wanted : r.wanted)
    job.wanted.push_back(standing_tokens(tokenizer, vocabulary, wanted));
  job.done = [answer = std::move(answer),
              full = job.tokens.size() == context](Result<NextTokensResult> result) {
    if (result) result->full = full;
    answer(std::move(result));
  };
  return language_->submit(std::move(job), ticket(call, request));
}

}  // namespace consort
