// Rows of a view, and how many rows make a task worth a thread.
#pragma once

#include <cstddef>

#include "kernels/exec/exec.h"

namespace consort {

// The rows of a f32 view of rank 1 to 3 with a contiguous last dimension: row r of dims [a, b, n] is (r / b,
// r % b).
struct RowsOf {
  float* data = nullptr;
  std::size_t rows = 0, cols = 0, inner = 1;
  std::size_t outer_stride = 0, inner_stride = 0;

  explicit RowsOf(const TensorView& v) : data(v.as<float>()), cols(static_cast<std::size_t>(v.cols())) {
    rows = static_cast<std::size_t>(v.rows());
    if (v.rank == 2) {
      outer_stride = static_cast<std::size_t>(v.strides[0]);
    } else if (v.rank == 3) {
      inner = static_cast<std::size_t>(v.dims[1]);
      outer_stride = static_cast<std::size_t>(v.strides[0]);
      inner_stride = static_cast<std::size_t>(v.strides[1]);
    }
  }
  float* operator[](std::size_t r) const {
    return inner == 1 ? data + r * outer_stride
                      : data + (r / inner) * outer_stride + (r % inner) * inner_stride;
  }
};

// Elements below which an elementwise op is not worth waking a second thread: 8192 floats are about 1 us of
// streaming work, a wake-up costs as much.
inline constexpr std::size_t kElementsPerTask = 8192;

// body(begin, end) over rows; on the pool only when there is enough work.
template <typename Body>
void for_rows(Exec& exec, std::size_t rows, std::size_t cols, Body&& body) {
  const std::size_t grain = cols >= kElementsPerTask ? 1 : kElementsPerTask / (cols ? cols : 1);
  if (rows <= grain || exec.threads.size() == 1) {
    body(std::size_t{0}, rows);
    return;
  }
  exec.threads.parallel_for(rows, grain, [&](std::size_t b, std::size_t e, int) { body(b, e); });
}

}  // namespace consort
