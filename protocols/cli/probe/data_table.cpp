#include "protocols/cli/probe/data_table.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "protocols/cli/context.h"
#include "protocols/cli/probe/csv.h"

namespace consort {
namespace {

constexpr std::size_t kMostColumns = 10'000;

Status read_header(CsvReader& reader, DataTable& table) {
  CONSORT_TRY(there, reader.next(table.columns));
  if (!there) return fail(ErrorKind::kInvalid, "the table is empty", table.file);
  if (table.columns.size() > kMostColumns)
    return fail(ErrorKind::kInvalid, fmt::format("more than {} columns", kMostColumns), table.file);
  std::set<std::string> names;
  for (const std::string& name : table.columns)
    if (!names.insert(name).second)
      return fail(ErrorKind::kInvalid, "two columns are called '" + name + "'", table.file + ", header");
  return {};
}

Result<DataTable> from_csv(std::string_view text, const std::string& path, char separator) {
  DataTable table;
  table.file = path;
  CsvReader reader(text, path, separator);
  CONSORT_CHECK_OK(read_header(reader, table));
  std::vector<std::string> fields;
  for (;;) {
    CONSORT_TRY(there, reader.next(fields));
    if (!there) return table;
    table.row_lines.push_back(reader.line());
    if (fields.size() != table.columns.size())
      return fail(ErrorKind::kInvalid,
                  fmt::format("{} fields, the header has {}", fields.size(), table.columns.size()),
                  table.where(table.rows.size()));
    Value::Object row;
    row.reserve(fields.size());
    for (std::size_t i = 0; i < fields.size(); ++i) row.emplace_back(table.columns[i], std::move(fields[i]));
    table.rows.push_back(Value::object(std::move(row)));
  }
}

Result<DataTable> from_json_lines(std::string_view text, const std::string& path) {
  DataTable table;
  table.file = path;
  std::set<std::string> seen;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = fmt::format("{}, line {}", path, number);
    auto row = parse_json(line, where);
    if (!row) return forward_error(row);
    if (!row->is_object()) return fail(ErrorKind::kInvalid, "the line is not an object", where);
    for (const auto& [name, value] : row->as_object())
      if (seen.insert(name).second) table.columns.push_back(name);
    if (table.columns.size() > kMostColumns)
      return fail(ErrorKind::kInvalid, fmt::format("more than {} columns", kMostColumns), path);
    table.rows.push_back(std::move(*row));
    table.row_lines.push_back(number);
  }
  if (table.rows.empty()) return fail(ErrorKind::kInvalid, "the table is empty", path);
  return table;
}

}  // namespace

std::string DataTable::where(std::size_t row, const std::string& column) const {
  std::string text = fmt::format("{}, row {} (line {})", file, row + 1, row_lines[row]);
  return column.empty() ? text : text + ", column '" + column + "'";
}

Status DataTable::check_column(const std::string& column) const {
  if (std::find(columns.begin(), columns.end(), column) != columns.end()) return {};
  std::string names;
  constexpr std::size_t kShown = 30;
  for (std::size_t i = 0; i < std::min(columns.size(), kShown); ++i)
    names += (i > 0 ? ", '" : "'") + columns[i] + "'";
  if (columns.size() > kShown) names += ", ...";
  return fail(ErrorKind::kInvalid, "there is no column '" + column + "'", file, "columns: " + names);
}

Result<DataTable> read_data_table(const std::string& path) {
  CONSORT_TRY(text, read_file(path, kMostTableBytes));
  const auto ends = [&](std::string_view end) {
    return path.size() >= end.size() && path.compare(path.size() - end.size(), end.size(), end) == 0;
  };
  if (ends(".csv")) return from_csv(text, path, ',');
  if (ends(".tsv")) return from_csv(text, path, '\t');
  return from_json_lines(text, path);
}

}  // namespace consort
