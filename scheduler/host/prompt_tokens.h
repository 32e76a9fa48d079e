// From a request's texts to token ids, by the model's own tokenizer and chat template. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "models/alphabet/byte_vocabulary.h"
#include "models/tokenizer/chat_template.h"
#include "models/tokenizer/tokenizer.h"
#include "scheduler/host/requests.h"

namespace consort {

// Chat contents and plain templates take special-token text literally; `text` parses it when the request says
// so and gets what the model's file puts around a text. Errors: kInvalid for messages to a model without a
// chat template (unless plain_template), and those of ChatTemplate::encode.
Result<std::vector<TokenId>> prompt_tokens(const Tokenizer& tokenizer,
                                           const std::optional<ChatTemplate>& chat, const Prompt& prompt);

// What a score request computes: the shared prompt, and what follows it for each candidate.
struct CandidateTokens {
  std::vector<TokenId> prompt;
  std::vector<std::vector<TokenId>> candidates;
};
// Errors: those of prompt_tokens; kInvalid for joint without a text prompt.
Result<CandidateTokens> candidate_tokens(const Tokenizer& tokenizer, const std::optional<ChatTemplate>& chat,
                                         const ScoreRequest& request);

// A text behind others: without the space that some tokenizers put in front of a text that opens. (One that
// begins with no space keeps theirs.)
std::vector<TokenId> running_tokens(const Tokenizer& tokenizer, std::string_view text);

// The tokens behind the prompt of a NextTokensRequest. Errors: kInvalid for an empty piece, and for own
// pieces that are no tokens.
Result<std::vector<TokenId>> piece_tokens(const Tokenizer& tokenizer, const ByteVocabulary& vocabulary,
                                          const NextTokensRequest& request);

// The tokens that stand for `wanted`, see NextTokensRequest.
std::vector<TokenId> standing_tokens(const Tokenizer& tokenizer, const ByteVocabulary& vocabulary,
                                     std::string_view wanted);

// A prompt for a session of bytes: its tokens, and the bytes that follow them and are covered anew: those of
// the last `heal` ordinary tokens, and the space that the tokenizer puts in front of a text. At least one
// token stays.
struct BytePrompt {
  std::vector<TokenId> tokens;
  std::string given;
};
Result<BytePrompt> byte_prompt(const Tokenizer& tokenizer, const std::optional<ChatTemplate>& chat,
                               const Prompt& prompt, int heal);

}  // namespace consort
