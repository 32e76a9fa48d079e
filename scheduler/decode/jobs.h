// Jobs: requests to one model after tokenising, as its engine takes them. Callbacks run on the lane's thread
// and must be short. `done` is called exactly once for every job that submit() accepted.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "models/tokenizer/tokenizer.h"
#include "scheduler/host/requests.h"

namespace consort {

struct JobTicket {
  WorkClass work_class = WorkClass::kInteractive;
  SteadyTime deadline = kNoDeadline;
  std::stop_token stop;
};

// Of jobs that write a text.
struct WritingJob : GenerationOptions {
  // Text that is final (no stop string can begin in it) with the ids that it came from; may be empty.
  std::function<void(std::string_view text, std::span<const TokenId> ids)> on_text;
};

struct GenerateJob : WritingJob {
  std::vector<TokenId> prompt;
  std::function<void(Result<GenerateResult>)> done;
};

// One text by several members of this model in lock step (FuseRequest).
struct FuseJob : WritingJob {
  struct Member {
    std::vector<TokenId> prompt;
    double temperature = 1;
  };
  std::vector<Member> members;
  CombinerOptions combiner;
  std::function<void(Result<FuseResult>)> done;
};

// Exactly prompt + sum(candidates) tokens are prefilled, less what the prefix cache holds of the prompt.
struct ScoreJob {
  std::vector<TokenId> prompt;
  std::vector<std::vector<TokenId>> candidates;  // each at least one token
  std::vector<std::size_t> bytes;                // of each candidate's text
  bool bypass_prefix_cache = false;
  std::function<void(Result<ScoreResult>)> done;
};

struct ScoreTextJob {
  std::vector<TokenId> tokens;  // the whole text, without BOS
  std::optional<TokenId> bos;   // put in front of every chunk
  int context = 0;              // tokens of a chunk, BOS included; 0 = the model's
  std::size_t file_bytes = 0;
  std::function<void(Result<ScoreTextResult>)> done;
};

// Bytes of a known text. `text` is what `tokens` stand for, byte for byte.
struct ByteScoreJob {
  std::vector<TokenId> prompt;  // in front of every chunk of the text; empty: `bos` is
  std::vector<TokenId> tokens;
  std::string text;
  std::size_t hidden = 0;  // bytes at the beginning that the tokenizer put there: given, not scored
  std::optional<TokenId> bos;
  int context = 0;
  bool covers = true;
  bool doubt = false;
  CoverOptions cover;
  std::function<void(Result<ScoreBytesResult>)> done;
};

// Requests to one open session, from any thread; the engine's run takes them on the lane's.
class ByteMailbox {
 public:
  struct Letter {
    std::vector<StrandStep> steps;  // empty: nothing moves
    bool close = false;
    std::function<void(Result<NextBytesResult>)> done;
    bool path = false;  // as NextBytesRequest::path
  };
  // Errors (then `done` is not called): kNotFound when the session has ended.
  Status put(Letter letter);
  std::optional<Letter> take();
  bool waiting() const;
  std::vector<Letter> end();  // no letters any more; those that nobody took

 private:
  mutable std::mutex mutex_;
  std::deque<Letter> letters_;
  bool ended_ = false;
};

// A session of growing bytes; the first letter may be in the box already.
struct ByteSessionJob {
  std::vector<TokenId> prompt;  // computed before; at least one token
  std::string given;            // bytes that follow it and are covered, not reported
  int max_bytes = 4096;         // that will come; memory is promised for them
  int max_strands = 1;
  CoverOptions cover;
  std::shared_ptr<ByteMailbox> box;
  int rewind = 0;  // bytes that a step will take back at most
};

struct LogitsJob {
  std::vector<TokenId> tokens;
  int top = 32;
  std::function<void(Result<LogitsResult>)> done;
};

// A string of a NextTokensRequest by the tokens that stand for it; none: nothing does.
using TokenAlternatives = std::vector<TokenId>;

struct NextTokensJob {
  std::vector<TokenId> tokens;  // prompt and text
  int top = 10;
  std::vector<TokenAlternatives> wanted;
  std::function<void(Result<NextTokensResult>)> done;
};

// What a pass over samples is to give.
struct NetworkWants {
  bool embeddings = false, logits = false;
  EmbeddingLevel level = EmbeddingLevel::kItem;
  bool operator==(const NetworkWants&) const = default;
};

struct NetworkAnswer {
  std::vector<float> embeddings;  // [rows, dimension]: the samples' rows in their order
  std::vector<float> logits;      // [samples, classes]
  Usage usage;
};

struct NetworkJob {
  std::vector<const Sample*> samples;  // of the engine's network; at least one
  std::shared_ptr<const void> owner;   // keeps them alive
  NetworkWants wants;
  bool continues = false;  // part of a request that was accepted: a full queue does not refuse it
  std::function<void(Result<NetworkAnswer>)> done;
};

}  // namespace consort
