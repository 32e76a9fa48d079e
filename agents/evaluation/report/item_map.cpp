// Members x items: who is right where. Items are sorted by how many members get them right.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "agents/evaluation/report/figure.h"
#include "agents/evaluation/table/table_export.h"

namespace consort {
namespace {

constexpr double kRow = 26, kNames = 210, kWidth = 860, kTop = 30;
constexpr std::size_t kMostColumns = 600;

struct Grid {
  std::vector<const Contestant*> rows;
  std::vector<std::vector<double>> shade;  // [row][item], 0 bad to 1 good
  std::vector<std::size_t> order;          // of the items
};

// Right or wrong as they are; other measures by their place among all members' values of all items.
Grid grid(const Contest& contest) {
  Grid g;
  const MeasureInfo& m = contest.measures.front();
  for (const Contestant& c : contest.contestants) {
    const bool as_it_came =
        c.entry.role == Role::kMember && c.parts.size() == 1 && c.parts[0] == c.entry.name;
    if (as_it_came && (!c.right.empty() || c.items.contains(m.name))) g.rows.push_back(&c);
  }
  if (g.rows.size() < 2) return g;
  if (const Contestant* chosen = contest.find(contest.chosen);
      chosen != nullptr && chosen->right.empty() == g.rows.front()->right.empty() &&
      std::find(g.rows.begin(), g.rows.end(), chosen) == g.rows.end())
    g.rows.push_back(chosen);
  std::vector<double> all;
  for (const Contestant* c : g.rows) {
    if (!c->right.empty()) {
      g.shade.push_back(c->right);
      continue;
    }
    const ItemMeasure& measure = c->items.at(m.name);
    std::vector<double> row;
    for (std::size_t i = 0; i < measure.sums.size(); ++i) {
      const double v = measure.sums[i] / (measure.weights.empty() ? 1 : measure.weights[i]);
      row.push_back(m.higher_is_better ? v : -v);
      if (std::isfinite(row.back())) all.push_back(row.back());
    }
    g.shade.push_back(std::move(row));
  }
  std::sort(all.begin(), all.end());
  if (!all.empty())
    for (auto& row : g.shade)
      for (double& v : row)
        v = static_cast<double>(std::lower_bound(all.begin(), all.end(), v) - all.begin()) /
            static_cast<double>(all.size());
  return g;
}

void sort_items(Grid& g) {
  const std::size_t n = g.shade.front().size();
  g.order.resize(n);
  std::iota(g.order.begin(), g.order.end(), 0);
  std::vector<double> sums(n);
  for (const auto& row : g.shade)
    for (std::size_t i = 0; i < n; ++i) sums[i] += row[i];
  std::stable_sort(g.order.begin(), g.order.end(), [&](std::size_t a, std::size_t b) {
    if (sums[a] != sums[b]) return sums[a] > sums[b];
    for (const auto& row : g.shade)
      if (row[a] != row[b]) return row[a] > row[b];
    return false;
  });
}

// Neighbours of one shade become one box.
void draw_row(Drawing& d, const Grid& g, std::size_t row) {
  const std::size_t n = g.order.size(), columns = std::min(n, kMostColumns);
  const auto shade = [&](std::size_t column) {
    const std::size_t first = column * n / columns, end = (column + 1) * n / columns;
    double sum = 0;
    for (std::size_t i = first; i < end; ++i) sum += g.shade[row][g.order[i]];
    return std::round(20 * sum / static_cast<double>(end - first)) / 20;
  };
  const double y = static_cast<double>(g.rows.size() - row);
  for (std::size_t first = 0; first < columns;) {
    std::size_t end = first + 1;
    const double value = shade(first);
    while (end < columns && shade(end) == value) ++end;
    const auto at = [&](std::size_t column) {
      return static_cast<double>(column * n) / static_cast<double>(columns);
    };
    if (value > 0) d.box({at(first), y - 0.08}, {at(end), y - 0.92}, "s0", "", value);
    if (value < 1) d.box({at(first), y - 0.08}, {at(end), y - 0.92}, "s1", "", 1 - value);
    first = end;
  }
}

}  // namespace

std::optional<Figure> items_figure(const Contest& contest, const EvaluationResults& results) {
  Grid g = grid(contest);
  if (g.rows.size() < 2 || contest.size() == 0) return std::nullopt;
  sort_items(g);
  const double rows = static_cast<double>(g.rows.size());
  Drawing d(kWidth, kTop + kRow * rows + 70);
  d.frame({kNames, kTop, kWidth - kNames - 14, kRow * rows},
          {0, static_cast<double>(contest.size()), "items of the test split, easiest first"},
          {0, rows, "", false, false, false});
  std::string csv = "item";
  for (std::size_t r = 0; r < g.rows.size(); ++r) {
    draw_row(d, g, r);
    d.words({0, rows - static_cast<double>(r) - 0.5}, -12, 4, shortened(g.rows[r]->entry.name, 32), "end");
    csv += "," + csv_cell(g.rows[r]->entry.name);
  }
  csv += "\r\n";
  for (const std::size_t i : g.order) {
    csv += csv_cell(contest.item_names[i]);
    for (const auto& row : g.shade) csv += fmt::format(",{}", row[i]);
    csv += "\r\n";
  }
  const bool binary = !g.rows.front()->right.empty();
  d.legend(kNames, kTop + kRow * rows + 56,
           {{"s0", binary ? "right" : "good"}, {"s1", binary ? "wrong" : "bad"}}, 120);
  return Figure{
      "items", "Members and items",
      binary ? "Each column is an item of the test split, sorted by how many get it right. Where a row is "
               "right and the others are wrong, an ensemble has something to gain."
             : fmt::format("Each column is an item of the test split; the shade is its place among all "
                           "values of {}. Where rows differ, an ensemble has something to gain.",
                           results.measures.front().name),
      std::move(d), std::move(csv)};
}

}  // namespace consort
