// Dense symmetric systems in double: what closed-form fits need. Sizes are those of embeddings (hundreds).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace consort {

// A symmetric matrix, row-major, whole.
struct SymmetricMatrix {
  std::size_t n = 0;
  std::vector<double> values;
  explicit SymmetricMatrix(std::size_t size = 0) : n(size), values(size * size, 0.0) {}
  double* row(std::size_t r) { return values.data() + r * n; }
  const double* row(std::size_t r) const { return values.data() + r * n; }
};

// matrix += sum over rows x_r x_r^T. x: [rows, n]. Rows are added in order, in groups of kGramRows.
void add_gram(SymmetricMatrix& matrix, std::span<const double> x);

// A = L L^T (Golub and Van Loan, section 4.2). `solve` overwrites b with the solution of A x = b.
class Cholesky {
 public:
  // false when the matrix is not positive definite; solve() must not be called then.
  bool factor(SymmetricMatrix matrix);
  void solve(std::span<double> b) const;

 private:
  SymmetricMatrix lower_;
};

}  // namespace consort
