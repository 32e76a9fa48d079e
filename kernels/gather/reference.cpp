#include "kernels/gather/gather.h"
#include "kernels/lanes/rows.h"

namespace consort::reference {

void gather(TensorView table, std::span<const std::int32_t> ids, bool add, TensorView out) {
  const RowsOf rows(table), outs(out);
  for (std::size_t r = 0; r < ids.size(); ++r)
    for (std::size_t i = 0; i < outs.cols; ++i)
      outs[r][i] = rows[static_cast<std::size_t>(ids[r])][i] + (add ? outs[r][i] : 0.0f);
}

}  // namespace consort::reference
