// The prediction table as files: JSON Lines, CSV and NumPy. The same rows give the same bytes; milliseconds,
// which differ from run to run, stand in a file of their own. Pure functions; any thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agents/evaluation/table/prediction_row.h"

namespace consort {

// One row a line (prediction_row.h, to_value).
std::string table_json_lines(const std::vector<PredictionRow>& rows);
// RFC 4180 with a header line; lists are their numbers with blanks between them.
std::string table_csv(const std::vector<PredictionRow>& rows);
// item, member, variant, milliseconds.
std::string timings_csv(const std::vector<PredictionRow>& rows);

// Looks a vector of the table up. Errors are passed on.
using VectorSource = std::function<Result<std::vector<float>>(const std::string& name)>;
// Arrays over the R rows: item, member, split, kind, answer, reason, kernel_path (texts); variant, tokens,
// seed (i8); flop, entropy (f8, NaN where there is none). Lists of different lengths lie one behind the
// other: scores (f8) with scores_offsets (i8, R + 1), bytes (i8), byte_logprobs (f4) likewise, and of texts
// by tokens token_ends, token_guesses (i8), token_logprobs (f8), token_entropies, _firsts, _seconds (f4).
// Vectors of one length D that rows refer to: vectors_D (f4, [n, D]); embedding_row (i8) is the row's place
// there, -1 without one, embedding_dimension (i8) its D, 0 without one. numpy.load(...) reads it without
// pickles. Errors: those of the source; kInvalid above 4 GiB.
Result<std::string> table_npz(const std::vector<PredictionRow>& rows, const VectorSource& vectors);

// One cell of a CSV line, quoted where RFC 4180 asks for it.
std::string csv_cell(std::string_view text);
// Rows from JSON Lines as table_json_lines writes them or others log them: `item` and `member` are required,
// the rest as far as known. Blank lines are skipped. Errors: kInvalid; up to five findings with line numbers
// and JSON Pointers.
Result<std::vector<PredictionRow>> table_from_json_lines(std::string_view text, const std::string& file);

}  // namespace consort
