#pragma once

#include <cstddef>
#include <cstdint>

namespace consort {

struct MaxSimArgs {
  const float* query;  // [query_rows, dimension]
  std::size_t query_rows;
  const std::int8_t* codes;  // [text_rows, dimension]
  const float* scales;       // [text_rows]
  std::size_t text_rows, dimension;
  float* row;   // scratch, dimension
  float* best;  // [query_rows]; the best inner product of each
};
namespace avx2 {
float dot_product(const float* a, const float* b, std::size_t n);
void max_sim_rows(const MaxSimArgs& args);
void code_dots(const std::int16_t* query, const std::int8_t* codes, std::size_t rows, std::size_t n,
               std::int32_t* out);
}  // namespace avx2
namespace avx512 {
float dot_product(const float* a, const float* b, std::size_t n);
void max_sim_rows(const MaxSimArgs& args);
void code_dots(const std::int16_t* query, const std::int8_t* codes, std::size_t rows, std::size_t n,
               std::int32_t* out);
}  // namespace avx512

}  // namespace consort
