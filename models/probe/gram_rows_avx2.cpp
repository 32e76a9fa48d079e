#include "models/probe/gram_rows.h"

namespace consort {

void add_gram_rows_avx2(double* matrix, std::size_t n, const double* const* rows) {
  gram_rows(matrix, n, rows);
}

}  // namespace consort
