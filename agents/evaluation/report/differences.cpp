// Every contestant's difference to the best member, as intervals in one column a measure.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "agents/evaluation/report/figure.h"
#include "agents/evaluation/table/table_export.h"

namespace consort {
namespace {

constexpr double kWidth = 860, kRow = 24, kNames = 210, kGap = 26, kTop = 52, kFoot = 54;
constexpr std::size_t kMostColumns = 3;

struct Column {
  const MeasureInfo* measure;
  std::vector<const Comparison*> rows;  // by contestant; nullptr: not compared
};

double gain(const MeasureInfo& m, double difference) {
  return (m.higher_is_better ? difference : -difference) * (m.share ? 100 : 1);
}

std::string style_of(const std::string& verdict) {
  return verdict == "better" ? "good" : verdict == "worse" ? "bad" : "equal";
}

void draw_column(Drawing& d, const Column& column, double left, double width, double height) {
  std::vector<double> ends{0};
  const MeasureInfo& m = *column.measure;
  for (const Comparison* c : column.rows)
    if (c != nullptr)
      for (const double v : {c->difference.value, c->difference.low, c->difference.high})
        ends.push_back(gain(m, v));
  const auto [low, high] = padded_range(ends);
  const double rows = static_cast<double>(column.rows.size());
  d.frame({left, kTop, width, height},
          {low, high,
           m.share              ? "gain, points"
           : m.higher_is_better ? "gain"
                                : "gain (less is better)"},
          {0, rows, "", false, false, false});
  d.note(left, kTop - 14, m.name, "start", "head");
  d.line({{0, 0}, {0, rows}}, "soft");
  for (std::size_t i = 0; i < column.rows.size(); ++i) {
    const Comparison* c = column.rows[i];
    if (c == nullptr) continue;
    const double y = rows - static_cast<double>(i) - 0.5;
    const std::string style = style_of(c->verdict);
    if (std::isfinite(c->difference.low))
      d.interval({gain(m, c->difference.low), y}, {gain(m, c->difference.high), y}, style);
    d.mark({gain(m, c->difference.value), y}, style, c->sentence);
  }
}

}  // namespace

std::optional<Figure> differences_figure(const Contest& contest, const EvaluationResults& results) {
  std::vector<std::string> names;
  for (const Comparison& c : results.comparisons)
    if (c.role == "best member" && std::find(names.begin(), names.end(), c.entry) == names.end())
      names.push_back(c.entry);
  if (names.empty()) return std::nullopt;
  std::vector<Column> columns;
  std::string csv = "contestant,against,measure,difference,low,high,p_holm,verdict\r\n";
  for (const std::string& measure : contest.tested) {
    Column column{&results.measures[results.measure(measure)], std::vector<const Comparison*>(names.size())};
    for (const Comparison& c : results.comparisons) {
      if (c.measure != measure || c.role != "best member") continue;
      column.rows[static_cast<std::size_t>(std::find(names.begin(), names.end(), c.entry) - names.begin())] =
          &c;
      csv += fmt::format("{},{},{},{},{},{},{},{}\r\n", csv_cell(c.entry), csv_cell(c.against), measure,
                         c.difference.value, c.difference.low, c.difference.high, c.p_holm, c.verdict);
    }
    if (columns.size() < kMostColumns) columns.push_back(std::move(column));
  }
  const double height = kRow * static_cast<double>(names.size());
  Drawing d(kWidth, kTop + height + kFoot);
  const double share = (kWidth - kNames) / static_cast<double>(columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i)
    draw_column(d, columns[i], kNames + static_cast<double>(i) * share, share - kGap, height);
  for (std::size_t i = 0; i < names.size(); ++i)
    d.note(kNames - 12, kTop + kRow * (static_cast<double>(i) + 0.5) + 4, shortened(names[i], 32), "end",
           names[i] == results.chosen ? "head" : "word");
  return Figure{
      "differences", "Against the best member",
      "Difference to the member that was best on the fit split, with 95 % paired bootstrap intervals; to the "
      "right is better. Green and red: still significant after Holm's correction over all tests made; grey: "
      "no difference shown.",
      std::move(d), std::move(csv)};
}

}  // namespace consort
