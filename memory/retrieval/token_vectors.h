// TokenVectors: the vectors of all tokens of one text, for late interaction. Source: O. Khattab, M. Zaharia,
// "ColBERT: Efficient and Effective Passage Search via Contextualized Late Interaction over BERT", SIGIR
// 2020.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace consort {

// Rows of length 1 as 8-bit integers with one scale a row: value = scale * code. About a quarter of float32's
// memory; a cosine moves by less than 0.01.
struct TokenVectors {
  std::size_t dimension = 0;
  std::vector<float> scales;       // one a row
  std::vector<std::int8_t> codes;  // rows * dimension
  std::size_t rows() const { return scales.size(); }
  bool operator==(const TokenVectors&) const = default;
};

// `rows`: a whole number of rows, finite; each is brought to length 1 (a row of zeros stays).
TokenVectors quantise_tokens(std::span<const float> rows, std::size_t dimension);

// The sum over the query's rows of the largest inner product with a row of the text; 0 for a text without
// rows. `query`: rows of `text.dimension` floats.
using MaxSimFunction = double (*)(const float* query, std::size_t query_rows, const TokenVectors& text);
// Running sums in a fixed order: the same bits with every instruction set.
double max_sim_portable(const float* query, std::size_t query_rows, const TokenVectors& text);

// Every row of length 1, as MaxSim compares them. A row of zeros stays.
std::vector<float> normalised_rows(std::span<const float> rows, std::size_t dimension);

}  // namespace consort
