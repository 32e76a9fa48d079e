// What a probe learns: the columns of a table as numbers or classes, with gaps where a label is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/probe/probe.h"
#include "protocols/cli/probe/data_table.h"

namespace consort {

struct TargetOptions {
  std::optional<ProbeKind> kind;     // unset: numbers with a fraction or of more than ten values: ridge
  bool parts = false;                // a cell is a list with a label for each part (token, node) of its item
  std::vector<std::string> missing;  // texts that stand for a missing label, beside "" and null
};

// A label of a row, or of one part of it. Missing ones have neither.
struct TargetColumn {
  std::string name;
  ProbeKind kind = ProbeKind::kRidge;
  std::vector<std::string> labels;          // classes in their order: by number where all are numbers
  std::vector<std::vector<double>> values;  // [row][part]: the number, or the class; NaN: missing
  bool missing_in(std::size_t row) const;   // no part of the row has a label
};

// Errors: kInvalid with row, line and column: a cell that is no number where numbers are wanted, one of
// another JSON type than a text, a number or a boolean, no list where parts are wanted; a column without a
// label, or with one class only.
Result<TargetColumn> read_target(const DataTable& table, const std::string& column,
                                 const TargetOptions& options);

}  // namespace consort
