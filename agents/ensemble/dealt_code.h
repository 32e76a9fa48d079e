// The code length of a text under members that take turns where their tokens end: fixed share
// (byte_combiner.h) over tokens instead of bytes, at the speed of one prefill a member.
//
// Where a piece of a CodeTable ends is decided by the bytes behind it: a token ends only when what follows
// begins another. A mixture that begins anew at each of these places uses what its reader does not know yet,
// and its probabilities of all texts sum to more than 1 (dealt_code_test.cpp has such a case). So here, after
// *every* token of the member in force, a share of its weight is dealt out to all members; where the tokens
// of the others do not end, that share is lost. This uses the text so far and nothing else, hence the sum
// over all texts of one length is at most 1. Pure functions; any thread.
#pragma once

#include <vector>

#include "agents/ensemble/code_mixture.h"
#include "agents/ensemble/fitting/matrix.h"

namespace consort {

// log_weights: [pieces, members], ln of the weights that are dealt before each piece (the first row: those
// that the text begins with), each row's exponentials sum to 1; row t may depend on the text before piece t
// alone. share: 0 to 1 (below 1 where a piece has several tokens of a member). weights and step_nats as by
// mix_code; a step's nats include what was lost in it. At most best member's nats - ln w_m - (T_m - 1) ln(1 -
// share), T_m its tokens. Over bytes a token is a byte and nothing is lost. Errors: kInvalid for sizes that
// do not fit, a share out of range, weights that do not sum to 1 within 1e-9.
Result<MixedCode> deal_code(const CodeTable& table, double share, fitting::MatrixView log_weights);

// The same weights before every piece, normalised; empty = equal. Errors: those of fitting/checks.h.
Result<fitting::Matrix> constant_weights(const CodeTable& table, const std::vector<double>& weights);

}  // namespace consort
