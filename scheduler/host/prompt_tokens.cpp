#include "scheduler/host/prompt_tokens.h"

#include <algorithm>

namespace consort {

Result<std::vector<TokenId>> prompt_tokens(const Tokenizer& tokenizer,
                                           const std::optional<ChatTemplate>& chat, const Prompt& prompt) {
  if (!prompt.token_ids.empty()) return prompt.token_ids;
  if (prompt.text)
    return tokenizer.encode(*prompt.text, {.add_special = true, .parse_special = prompt.parse_special});
  if (chat) return chat->encode(tokenizer, prompt.messages, true);
  if (!prompt.plain_template)
    return fail(ErrorKind::kInvalid, "the model has no chat template, so it takes no messages", {},
                "give a text prompt, or ask for the plain template");
  std::string joined;
  for (const ChatMessage& m : prompt.messages) {
    if (!joined.empty()) joined += "\n\n";
    joined += m.content;
  }
  joined += '\n';
  return tokenizer.encode(joined, {.add_special = true, .parse_special = false});
}

namespace {

// Tokens at the front that both have.
std::size_t common_tokens(const std::vector<TokenId>& a, const std::vector<TokenId>& b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// The prompt alone and each whole text; what they share is the prompt. At least one token stays with every
// side: the prompt is not empty, and neither is what is scored.
Result<CandidateTokens> joint_tokens(const Tokenizer& tokenizer, const ScoreRequest& request) {
  if (!request.prompt.text)
    return fail(ErrorKind::kInvalid, "prompt and candidates are tokenised as one only for a text prompt");
  CandidateTokens out;
  CONSORT_TRY(prompt, prompt_tokens(tokenizer, std::nullopt, request.prompt));
  out.prompt = std::move(prompt);
  std::size_t shared = out.prompt.size();
  for (const std::string& candidate : request.candidates) {
    Prompt whole = request.prompt;
    *whole.text += candidate;
    CONSORT_TRY(tokens, prompt_tokens(tokenizer, std::nullopt, whole));
    shared = std::min(shared, common_tokens(out.prompt, tokens));
    if (shared == tokens.size() && shared > 0) --shared;
    out.candidates.push_back(std::move(tokens));
  }
  if (shared == 0 && !out.candidates.empty())
    return fail(ErrorKind::kInvalid, "prompt and candidate share no token, so nothing stands before it");
  out.prompt.resize(shared);
  for (auto& tokens : out.candidates)
    tokens.erase(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(shared));
  return out;
}

}  // namespace

Result<CandidateTokens> candidate_tokens(const Tokenizer& tokenizer, const std::optional<ChatTemplate>& chat,
                                         const ScoreRequest& request) {
  if (request.joint) return joint_tokens(tokenizer, request);
  CandidateTokens out;
  CONSORT_TRY(prompt, prompt_tokens(tokenizer, chat, request.prompt));
  out.prompt = std::move(prompt);
  for (const std::string& candidate : request.candidates)
    out.candidates.push_back(tokenizer.encode(candidate));
  return out;
}

Result<BytePrompt> byte_prompt(const Tokenizer& tokenizer, const std::optional<ChatTemplate>& chat,
                               const Prompt& prompt, int heal) {
  if (heal < 0) return fail(ErrorKind::kInvalid, "tokens to heal cannot be negative", "heal");
  CONSORT_TRY(tokens, prompt_tokens(tokenizer, chat, prompt));
  BytePrompt out{std::move(tokens), {}};
  for (; heal > 0 && out.tokens.size() > 1; --heal) {
    const std::string bytes = tokenizer.token_bytes(out.tokens.back());
    if (bytes.empty()) break;
    out.given.insert(0, bytes);
    out.tokens.pop_back();
  }
  const bool begins = !out.tokens.empty() && tokenizer.token_bytes(out.tokens.back()).empty();
  if (begins && out.given.empty() && tokenizer.adds_leading_space()) out.given = " ";
  return out;
}

}  // namespace consort
