#include "agents/ensemble/fitting/matrix.h"

#include <algorithm>
#include <string>

namespace consort::fitting {

Result<Matrix> matrix_of(const std::vector<std::vector<double>>& rows) {
  if (rows.empty() || rows[0].empty()) return fail(ErrorKind::kInvalid, "a matrix needs rows with values");
  Matrix made(rows.size(), rows[0].size());
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (rows[r].size() != made.columns) {
      return fail(ErrorKind::kInvalid, "row " + std::to_string(r) + " has " + std::to_string(rows[r].size()) +
                                           " values, the first has " + std::to_string(made.columns));
    }
    std::copy(rows[r].begin(), rows[r].end(), made.row(r).begin());
  }
  return made;
}

}  // namespace consort::fitting
