#include "protocols/cli/probe/targets.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace consort {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMostNamedNumbers = 10;  // more different whole numbers are a quantity, not classes
constexpr std::size_t kMostClasses = 1000;

// One cell as it stands: its text, and its number where it is one.
struct Cell {
  bool missing = false;
  std::string text;
  std::optional<double> number;
};

std::optional<double> number_of(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' '), last = text.find_last_not_of(' ');
  if (first == std::string_view::npos) return std::nullopt;
  text = text.substr(first, last - first + 1);
  if (text.front() == '+') text.remove_prefix(1);
  double number = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || at != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

class TargetReader {
 public:
  TargetReader(const DataTable& table, const std::string& column, const TargetOptions& options)
      : table_(table), options_(options) {
    out_.name = column;
  }

  Result<TargetColumn> read() {
    CONSORT_CHECK_OK(table_.check_column(out_.name));
    for (std::size_t row = 0; row < table_.rows.size(); ++row) CONSORT_CHECK_OK(read_row(row));
    out_.kind = options_.kind.value_or(guessed_kind());
    CONSORT_CHECK_OK(out_.kind == ProbeKind::kRidge ? take_numbers() : take_classes());
    return std::move(out_);
  }

 private:
  Result<Cell> read_cell(const Value& v, const std::string& where) const {
    Cell cell;
    if (v.is_string())
      cell.text = v.as_string();
    else if (v.is_bool() || v.is_number())
      cell.text = write_json(v);
    else if (!v.is_null())
      return fail(ErrorKind::kInvalid,
                  "a label is a text, a number or a boolean, not an " + std::string(type_name(v.type())),
                  where);
    cell.missing = cell.text.empty() || std::find(options_.missing.begin(), options_.missing.end(),
                                                  cell.text) != options_.missing.end();
    if (!cell.missing) cell.number = v.is_number() ? std::optional(v.as_number()) : number_of(cell.text);
    return cell;
  }

  Status read_row(std::size_t row) {
    const std::string where = table_.where(row, out_.name);
    std::vector<Cell> cells;
    const Value v = table_.rows[row].get(out_.name);
    if (!options_.parts) {
      CONSORT_TRY(cell, read_cell(v, where));
      cells.push_back(std::move(cell));
    } else if (!v.is_null()) {
      CONSORT_TRY(list, list_of(v, where));
      for (const Value& part : list.as_array()) {
        CONSORT_TRY(cell, read_cell(part, where));
        cells.push_back(std::move(cell));
      }
    }
    cells_.push_back(std::move(cells));
    return {};
  }

  // Labels of the parts: a JSON list, also as the text of a CSV cell.
  static Result<Value> list_of(const Value& v, const std::string& where) {
    Value list = v;
    if (v.is_string()) {
      if (v.as_string().empty()) return Value::array();
      CONSORT_TRY(parsed, parse_json(v.as_string(), where));
      list = std::move(parsed);
    }
    if (!list.is_array())
      return fail(ErrorKind::kInvalid, "with --level part a cell is a list: a label for each part, or null",
                  where);
    return list;
  }

  template <typename F>
  void each(F f) const {
    for (std::size_t row = 0; row < cells_.size(); ++row)
      for (const Cell& cell : cells_[row])
        if (!cell.missing) f(row, cell);
  }

  ProbeKind guessed_kind() const {
    std::map<double, int> values;
    bool numbers = true, whole = true;
    each([&](std::size_t, const Cell& cell) {
      numbers = numbers && cell.number.has_value();
      if (!numbers) return;
      whole = whole && std::floor(*cell.number) == *cell.number;
      if (values.size() <= kMostNamedNumbers) ++values[*cell.number];
    });
    return numbers && (!whole || values.size() > kMostNamedNumbers) ? ProbeKind::kRidge
                                                                    : ProbeKind::kLogistic;
  }

  Status take_numbers() {
    for (std::size_t row = 0; row < cells_.size(); ++row) {
      std::vector<double> values;
      for (const Cell& cell : cells_[row]) {
        if (!cell.missing && !cell.number)
          return fail(ErrorKind::kInvalid, "'" + cell.text.substr(0, 80) + "' is not a number",
                      table_.where(row, out_.name), "--missing TEXT names a text that stands for no label");
        values.push_back(cell.missing ? kMissing : *cell.number);
      }
      out_.values.push_back(std::move(values));
    }
    bool any = false;
    each([&](std::size_t, const Cell&) { any = true; });
    if (!any) return no_label();
    return {};
  }

  Status take_classes() {
    std::map<std::string, double> classes;
    bool numbers = true;
    each([&](std::size_t, const Cell& cell) {
      classes.emplace(cell.text, 0);
      numbers = numbers && cell.number.has_value();
    });
    if (classes.empty()) return no_label();
    if (classes.size() < 2)
      return fail(ErrorKind::kInvalid, "all labels are '" + classes.begin()->first.substr(0, 80) + "'",
                  table_.file + ", column '" + out_.name + "'");
    if (classes.size() > kMostClasses)
      return fail(ErrorKind::kInvalid,
                  fmt::format("{} different labels are too many for classes", classes.size()),
                  table_.file + ", column '" + out_.name + "'");
    for (const auto& entry : classes) out_.labels.push_back(entry.first);
    if (numbers)
      std::stable_sort(
          out_.labels.begin(), out_.labels.end(),
          [](const std::string& a, const std::string& b) { return *number_of(a) < *number_of(b); });
    for (std::size_t i = 0; i < out_.labels.size(); ++i) classes[out_.labels[i]] = static_cast<double>(i);
    for (const auto& cells : cells_) {
      std::vector<double> values;
      for (const Cell& cell : cells) values.push_back(cell.missing ? kMissing : classes[cell.text]);
      out_.values.push_back(std::move(values));
    }
    return {};
  }

  tl::unexpected<Error> no_label() const {
    return fail(ErrorKind::kInvalid, "no row has a label", table_.file + ", column '" + out_.name + "'");
  }

  const DataTable& table_;
  const TargetOptions& options_;
  TargetColumn out_;
  std::vector<std::vector<Cell>> cells_;
};

}  // namespace

bool TargetColumn::missing_in(std::size_t row) const {
  return std::all_of(values[row].begin(), values[row].end(), [](double v) { return std::isnan(v); });
}

Result<TargetColumn> read_target(const DataTable& table, const std::string& column,
                                 const TargetOptions& options) {
  return TargetReader(table, column, options).read();
}

}  // namespace consort
