// DataTable: rows of named cells from a CSV, TSV or JSON Lines file, for fitting and applying probes.
#pragma once

#include <string>
#include <vector>

#include "scheduler/value/value.h"

namespace consort {

inline constexpr std::size_t kMostTableBytes = std::size_t{1} << 30;

struct DataTable {
  std::string file;
  std::vector<std::string> columns;    // CSV: of the header; JSON Lines: in the order of their appearance
  std::vector<Value> rows;             // objects; CSV: all cells are strings
  std::vector<std::size_t> row_lines;  // where each begins in the file, from 1

  // "data.csv, row 3 (line 7)", and with a column ", column 'y'". Rows count from 1, the header does not.
  std::string where(std::size_t row, const std::string& column = {}) const;
  // Errors: kInvalid, naming the columns that there are.
  Status check_column(const std::string& column) const;
};

// By the file's ending: .csv, .tsv, else JSON Lines. Errors: kNotFound, kIo; kInvalid with line and field: a
// row with another number of fields than the header, a column's name twice, a line that is no object.
Result<DataTable> read_data_table(const std::string& path);

}  // namespace consort
