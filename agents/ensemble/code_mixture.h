// byteMixture and chunkMixture over a known text: the members' recorded log-probabilities, piece by piece,
// to the code length of their mixture. A piece is a byte, or a chunk between two places where a token of
// every member ends (one prefill a member, no covers; it counts only the members' own cuts of the text). Over
// bytes the lengths are those of a code. Over chunks they are not quite: where a chunk ends is decided by the
// bytes behind it, and weights that move there use that (dealt_code.h does not). Source of the weights' rule
// and of the bounds: scheduler/decode/byte_combiner.h. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/decode/byte_combiner.h"

namespace consort {

// What one member recorded (ScoreBytesResult).
struct TextCode {
  std::string name;
  std::vector<std::int64_t> token_ends;
  std::vector<double> token_logprobs;  // nats; NaN: nothing stands before
  std::vector<double> byte_logprobs;   // nats, the same; not needed for chunks
};

enum class CodePieces { kBytes, kChunks };

// lp[m][t]: ln p_m of piece t, with the byte where each ends. What a member could not score (nothing stands
// before it) costs it 8 bits a byte, so that all members code the same text. Errors: kInvalid for no members,
// ends that do not grow to `bytes`, counts that do not fit.
struct CodeTable {
  std::vector<std::vector<double>> lp;
  std::vector<std::vector<std::size_t>> first_tokens;  // chunks: [member][piece], the token that begins it
  std::vector<std::size_t> tokens;                     // chunks: [member], how many there are
  std::vector<std::int64_t> ends;
};
Result<CodeTable> code_table(const std::vector<TextCode>& members, std::size_t bytes, CodePieces pieces);

struct CodeMixture {
  double nats = 0;
  std::vector<double> member_nats;
  std::vector<double> step_nats;             // [pieces]
  std::vector<std::vector<double>> weights;  // [pieces][members]: before each piece
  // bayes: min over m of nats_m - ln w_m - (T - 1) ln(1 - alpha + alpha / M), which `nats` never exceeds.
  double bound_nats = 0;  // infinite for other rules
};
Result<CodeMixture> mix_codes(const CodeTable& table, const CombinerOptions& options);

}  // namespace consort
