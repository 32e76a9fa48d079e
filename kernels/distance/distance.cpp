#include "kernels/distance/distance.h"

#include <vector>

#include "kernels/distance/kernel.h"

namespace consort {
namespace {

using RowsFunction = void (*)(const MaxSimArgs& args);

template <RowsFunction rows>
double max_sim(const float* query, std::size_t query_rows, const TokenVectors& text) {
  if (text.rows() == 0) return 0;
  thread_local std::vector<float> scratch;
  scratch.resize(text.dimension + query_rows);
  float* best = scratch.data() + text.dimension;
  rows({query, query_rows, text.codes.data(), text.scales.data(), text.rows(), text.dimension, scratch.data(),
        best});
  double sum = 0;
  for (std::size_t q = 0; q < query_rows; ++q) sum += best[q];
  return sum;
}

}  // namespace

DotFunction dot_function(Isa isa) {
  if (isa == Isa::kAvx512) return avx512::dot_product;
  return isa == Isa::kAvx2 ? avx2::dot_product : dot_portable;
}

CodeDotsFunction code_dots_function(Isa isa) {
  if (isa == Isa::kAvx512) return avx512::code_dots;
  return isa == Isa::kAvx2 ? avx2::code_dots : code_dots_portable;
}

MaxSimFunction max_sim_function(Isa isa) {
  if (isa == Isa::kAvx512) return max_sim<avx512::max_sim_rows>;
  return isa == Isa::kAvx2 ? max_sim<avx2::max_sim_rows> : max_sim_portable;
}

}  // namespace consort
