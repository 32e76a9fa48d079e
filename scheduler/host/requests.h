// What can be asked of a hosted model, as typed requests. They cross the bus as Message bodies and tensors
// (scheduler/host/wire.h converts), so a model may live in another process.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "memory/base/shared_bytes.h"
#include "models/alphabet/cover_options.h"
#include "models/network/network.h"
#include "models/tokenizer/chat_template.h"
#include "scheduler/bus/message.h"
#include "scheduler/decode/byte_combiner.h"
#include "scheduler/decode/step_signals.h"
#include "scheduler/lane/work.h"

namespace consort {

struct SamplingOptions {
  double temperature = 0.7;  // 0 = greedy, ties go to the lower id
  int top_k = 0;             // 0 = off
  double top_p = 0.95;
  double min_p = 0.0;
  double repetition_penalty = 1.0;  // divides positive logits, multiplies negative ones (Keskar 2019)
  double presence_penalty = 0.0, frequency_penalty = 0.0;
  std::vector<std::pair<TokenId, float>> logit_bias;
  std::uint64_t seed = 0;
};

// The prompt is exactly one of: messages (chat template; `plain_template` joins contents by a blank line with
// one trailing newline for models without one), text, or token_ids.
struct Prompt {
  std::vector<ChatMessage> messages;
  std::optional<std::string> text;
  std::vector<TokenId> token_ids;
  bool plain_template = false;
  bool parse_special =
      true;  // text only: special-token text becomes tokens; BOS is added if the file says so
};

struct RequestContext {
  std::string run, task;
  SteadyTime deadline = kNoDeadline;
  WorkClass work_class = WorkClass::kInteractive;
  std::stop_token stop;
};

struct Usage {
  int prompt_tokens = 0;  // of the request
  int cached_tokens = 0;  // of those, found in the prefix tree
  int completion_tokens = 0;
  double queue_ms = 0, prefill_ms = 0, decode_ms = 0;
  double flop = 0, bytes = 0;  // arithmetic and memory traffic by the model's cost figures
};

Usage& operator+=(Usage& sum, const Usage& more);

// How a text is drawn, and when it ends.
struct GenerationOptions {
  int max_tokens = 256;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  SamplingOptions sampling;
  bool bypass_prefix_cache = false;
  bool keep_partial = false;  // a stop request ends it with the text so far and finish_reason cancelled
  // GenerateResult::logprob_nats is wanted; it takes whole rows of logits, where the likeliest token (or
  // top_k) needs only what may win. Requests of one prompt only.
  bool logprobs = true;
};

struct GenerateRequest : GenerationOptions {
  Prompt prompt;
};
struct GenerateResult {
  std::string text;                // bytes; may be broken UTF-8 when a character is cut
  std::vector<TokenId> token_ids;  // without the end token
  std::string finish_reason;       // stop | length | cancelled
  double logprob_nats = 0;         // of the generated tokens, under temperature 1; 0 without `logprobs`
  Usage usage;
};

// One text by several members of one model in lock step: at every token their distributions are combined.
// What their prompts begin with is computed once; members with the same prompt are one sequence.
inline constexpr int kMaxFusedMembers = 16;
struct FusedMember {
  Prompt prompt;
  double temperature = 1;  // of its distribution; above 0
};
struct FuseRequest
    : GenerationOptions {  // sampling: temperature 0 takes the combination's likeliest, 1 draws from it
  std::vector<FusedMember> members;
  CombinerOptions combiner;  // weights: one a member, or none
};
struct FusedMemberResult {
  double logprob_nats = 0;  // of the text's tokens, and the end where it ended so
  int agreed = 0;           // steps whose token was its own likeliest
  double weight = 0;        // the last one
};
struct FuseResult : GenerateResult {  // logprob_nats: under the combination
  FuseResult() = default;
  explicit FuseResult(std::size_t count) : members(count) {}
  std::vector<FusedMemberResult> members;
  StepSignals signals;  // means over the steps
  int steps = 0;
};

// Log-probability of each candidate text as the continuation of one prompt. The prompt's pages are shared by
// all candidates (a prefix fork): exactly prompt + sum(candidate tokens) tokens are prefilled.
//
// `joint` (text prompts only): prompt and candidate are tokenised as one text, as the model would meet them,
// and split where the prompt's own tokens end. Where a token would straddle that border, all candidates start
// at the last border that every one of them shares with the prompt; the prompt's few bytes behind it are
// scored with each candidate alike and are not counted in `bytes`.
struct ScoreRequest {
  Prompt prompt;
  std::vector<std::string> candidates;
  bool joint = false;
  bool bypass_prefix_cache = false;  // the same usage whatever was asked before
};
struct ScoredText {
  double logprob_nats = 0;
  int tokens = 0;
  std::size_t bytes = 0;
};
struct ScoreResult {
  std::vector<ScoredText> candidates;
  Usage usage;
};

// NLL of a long text in chunks of `context` tokens (command `score`).
struct ScoreTextRequest {
  std::string text;
  int context = 0;  // 0 = the model's
};
struct ScoreTextResult {
  std::int64_t tokens = 0, scored_tokens = 0;
  double nll_nats = 0;
  std::size_t bytes = 0, file_bytes = 0;  // bytes: of the scored tokens
  Usage usage;
};

// Log-probability of every byte of a text under one model, comparable between models of any tokenizers
// (models/alphabet), and of the text's own tokens with the bytes where they end. The text is cut into chunks
// as by ScoreTextRequest; a prompt stands before every chunk and must leave room for one token at least.
struct ScoreBytesRequest {
  std::optional<Prompt> prompt;
  std::string text;
  int context = 0;     // tokens of a chunk; 0 = the model's
  bool covers = true;  // false: only the tokens (one prefill); byte_logprobs and kept stay empty
  bool doubt = false;  // also what the model expected before each token
  CoverOptions cover;
};
struct ScoreBytesResult {
  std::vector<std::int64_t> token_ends;  // [tokens]: the byte behind each token; the last is text.size()
  std::vector<double> token_logprobs;  // [tokens], nats; NaN where nothing stands before (no BOS, no prompt)
  // With `doubt`, [tokens], NaN and -1 where nothing stands before: entropy in nats, probabilities of the two
  // likeliest tokens, first byte of the likeliest (-1 for a control token).
  std::vector<double> entropies, firsts, seconds;
  std::vector<std::int64_t> guesses;
  std::vector<double>
      byte_logprobs;         // [text.size()], nats, normalised over 256 bytes and the end; NaN as above
  std::vector<double> kept;  // [text.size()]: share of the probability that pruning left before the byte
  double log_mass = 0;       // ln P(scored bytes) of the covers kept, nothing normalised
  std::int64_t forks = 0;    // states computed off the text's own tokens
  Usage usage;
};

// A session: a model's distribution of the next byte while texts grow behind one prompt. It lives in the
// model's host until it is closed, kSessionIdle without a request have passed, or the model is unloaded. It
// begins with one text (strand); a request may go on from one strand in several ways (beams, samples), and
// all strands are computed as one batch.
inline constexpr std::chrono::seconds kSessionIdle{120};
inline constexpr int kMaxStrands = 64;
inline constexpr int kMaxRewind = 256;
struct OpenBytesRequest {
  Prompt prompt;
  int max_bytes = 4096;  // of a strand, that will be asked for; memory is promised for them
  int max_strands = 1;   // at once; at most kMaxStrands
  int rewind = 0;  // bytes that a step will take back at most; what they need is kept at hand for that long
  int heal = 0;  // ordinary tokens at the prompt's end whose bytes are covered anew (their cut was arbitrary)
  CoverOptions cover;
};
struct StrandStep {
  int from = 0;       // a strand of the last answer
  std::string bytes;  // that follow it; may be empty
  int back = 0;       // bytes of the strand that are taken back before
};
struct NextBytesRequest {
  std::string session;
  std::vector<StrandStep> steps;  // the strands of the answer; those that no step goes on from end
  bool close = false;             // ends the session; no distribution
  bool path =
      false;  // one step only: its bytes are a guess that is looked at as a whole (NextBytesResult::path)
};
struct NextBytesResult {
  std::string session;
  std::vector<double> distributions;  // [strands, 257]: probabilities of the next byte, and of the end
  std::vector<double> logprobs_nats;  // [strands]: of the bytes given
  std::vector<double> kept;           // [strands]: the least share that pruning left at one of them
  int states = 0;                     // of all strands
  std::int64_t forwards = 0;          // rows computed so far, the prompt's not counted
  int healed = 0;                     // times that no cover was left and the text was encoded anew
  bool full = false;                  // the context has no room for another token
  // With NextBytesRequest::path: [bytes, 257], the distribution behind each byte of the step; its tokens are
  // computed as one slice. Fewer rows, and only these bytes are taken, where the context is full.
  std::vector<double> path;
  std::int64_t passes = 0;  // times that the session waited for rows so far, the prompt not counted
  Usage usage;              // so far

  std::size_t strands() const { return logprobs_nats.size(); }
  std::span<const double> distribution(std::size_t strand) const {  // [257]
    const std::size_t symbols = distributions.size() / strands();
    return std::span(distributions).subspan(strand * symbols, symbols);
  }
};

// One item for a network. Bytes are shared, never copied in one process. Without a kind the model decides:
// bytes are a picture, a file, a graph or a text, a text is a text, a SMILES or a file, whatever it takes.
struct ModelInput {
  std::optional<InputKind> kind = InputKind::kText;
  std::string text;                  // kText: the text; kPair: the query; kMolecule: SMILES
  std::string passage;               // kPair
  std::optional<SharedBytes> bytes;  // kImage: the encoded picture; kFile: contents; kGraph: JSON text
  std::string name;                  // for messages and rules: the file's name; may be empty
};
std::vector<ModelInput> text_inputs(std::vector<std::string> texts);

// Why one item of a request has no result. The others have theirs.
struct ItemError {
  std::size_t item = 0;
  Error error;
};

// What the results about items have in common.
struct ItemReport {
  std::vector<int> tokens;        // Sample::tokens of each item; 0 where it failed
  std::vector<bool> truncated;    // a model's limit cut the item
  std::vector<ItemError> errors;  // ascending by item
  std::string model_digest;       // of the weights; a memory refuses vectors of other weights
  Usage usage;

  const Error* error_of(std::size_t item) const;  // null when the item has a result
};

// Errors of the request as a whole: kUnsupported when the model embeds nothing, or not at this level. An item
// that cannot be read, or of a kind that the model does not take, is an error of this item.
struct EmbedRequest {
  std::vector<ModelInput> inputs;
  std::string input_type;               // "", "query", "document": the catalogue's prefixes for texts
  std::optional<EmbeddingLevel> level;  // unset: the model's own
};
struct EmbedResult : ItemReport {
  TensorLease embeddings;             // f32 [rows, dimension]: the items' rows in their order
  std::vector<std::int64_t> offsets;  // item i has rows [offsets[i], offsets[i + 1]); none where it failed
  EmbeddingLevel level = EmbeddingLevel::kItem;

  std::size_t items() const { return tokens.size(); }
  TensorView item(std::size_t i) const;  // [its rows, dimension]
};

// With `labels` the items are compared to them in the model's joint space (zero-shot): a label stands in for
// {} of `prompt`. Errors: kUnsupported when the model has no classes, or no joint space for labels.
struct ClassifyRequest {
  std::vector<ModelInput> inputs;
  int top = 5;  // of Decision::raw and, zero-shot, of the labels
  std::vector<std::string> labels;
  std::string prompt = "a photo of a {}";
  bool logits = false;  // the tensor too
};
struct ClassifyResult : ItemReport {
  std::vector<Decision> decisions;  // of each item; empty where it failed
  TensorLease logits;  // f32 [items, classes], zeros where it failed; without name when not wanted
};

struct TextPair {
  std::string query, passage;
};
struct RerankRequest {
  std::vector<TextPair> pairs;
};
struct RerankResult : ItemReport {
  std::vector<double> scores;  // the raw logit of each pair; 0 where it failed
};

struct LogitsRequest {
  std::vector<TokenId> token_ids;
  int top = 32;
};
struct LogitsResult {  // tensors as the command `logits` writes them
  TensorLease top_ids, top_logits, logsumexp, last;
};

// What a model expects next behind a prompt and the text so far, as strings of bytes: those of its likeliest
// tokens, and how likely wanted ones are. Tokens of equal bytes count as one string; the tokens that end a
// generation are one together, the empty string; other control tokens are left out. Asked again about the
// same place the model computes nothing, behind a longer text only what is new.
inline constexpr int kMaxNextStrings = 4096;
struct NextTokensRequest {
  Prompt prompt;
  std::vector<std::string> pieces;  // the text so far, as it was written
  // The pieces are tokens of this model and stay as they are. Otherwise the text is cut into tokens anew, by
  // itself: the prompt's tokens stay.
  bool own_pieces = false;
  int top = 10;  // strings to name; 0 to kMaxNextStrings
  // To look up: the tokens with exactly these bytes, else the first token of the model's own encoding.
  std::vector<std::string> wanted;
};
struct NextString {
  std::string bytes;        // empty: the end
  double logprob_nats = 0;  // over the whole vocabulary
};
struct NextTokensResult {
  std::vector<NextString> top;          // likeliest first, equals by bytes
  std::vector<double> wanted_logprobs;  // nats, in the request's order; -infinity where there is no token
  bool full = false;  // the context has no room for another token; if the text itself does not fit, no string
                      // is named and none is known
  Usage usage;
};

}  // namespace consort
