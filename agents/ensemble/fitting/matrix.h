// Matrices of doubles, row-major: what the numeric functions of fitting/ and evaluation/measures take. Plain
// data; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "memory/base/status.h"

namespace consort::fitting {

// A view: `values` holds rows() * columns numbers, row after row.
struct MatrixView {
  std::span<const double> values;
  std::size_t columns = 0;

  std::size_t rows() const { return columns == 0 ? 0 : values.size() / columns; }
  std::span<const double> row(std::size_t r) const { return values.subspan(r * columns, columns); }
  double at(std::size_t r, std::size_t c) const { return values[r * columns + c]; }
};

struct Matrix {
  std::vector<double> values;
  std::size_t columns = 0;

  Matrix() = default;
  Matrix(std::size_t rows, std::size_t cols) : values(rows * cols, 0.0), columns(cols) {}
  std::size_t rows() const { return columns == 0 ? 0 : values.size() / columns; }
  std::span<double> row(std::size_t r) { return std::span<double>(values).subspan(r * columns, columns); }
  std::span<const double> row(std::size_t r) const {
    return std::span<const double>(values).subspan(r * columns, columns);
  }
  double& at(std::size_t r, std::size_t c) { return values[r * columns + c]; }
  double at(std::size_t r, std::size_t c) const { return values[r * columns + c]; }
  operator MatrixView() const {
    return {values, columns};
  }  // NOLINT: a matrix is used as its view everywhere
};

// Errors: kInvalid for no rows, rows of no or unequal lengths.
Result<Matrix> matrix_of(const std::vector<std::vector<double>>& rows);

}  // namespace consort::fitting
