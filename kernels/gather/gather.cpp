#include "kernels/gather/gather.h"

#include <cstring>

#include "kernels/lanes/rows.h"

namespace consort {

void gather(Exec& exec, TensorView table, std::span<const std::int32_t> ids, TensorView out) {
  const RowsOf rows(table), outs(out);
  for_rows(exec, ids.size(), outs.cols, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      std::memcpy(outs[r], rows[static_cast<std::size_t>(ids[r])], outs.cols * sizeof(float));
  });
}

// Plain loops: additions alone give the same bits however the compiler vectorises them.
void gather_add(Exec& exec, TensorView table, std::span<const std::int32_t> ids, TensorView out) {
  const RowsOf rows(table), outs(out);
  for_rows(exec, ids.size(), outs.cols, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      float* to = outs[r];
      const float* from = rows[static_cast<std::size_t>(ids[r])];
      for (std::size_t i = 0; i < outs.cols; ++i) to[i] += from[i];
    }
  });
}

}  // namespace consort
