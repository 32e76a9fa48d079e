// The results as a table for people.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "agents/evaluation/analysis/results.h"

namespace consort {
namespace {

using Row = std::vector<std::string>;

// Columns of a terminal that UTF-8 text takes (no wide characters are expected in names).
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// The first column to the left, the others to the right.
std::string aligned(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], columns(row[i]));
    }
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string gap(widths[i] - columns(row[i]), ' ');
      line += i == 0 ? row[i] + gap : "  " + gap + row[i];
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return out;
}

std::string with_interval(const MeasureInfo& m, const Estimate& e) {
  if (!std::isfinite(e.value)) return "-";
  const double scale = m.share ? 100 : 1;
  const int digits = m.share ? 1 : 3;
  if (!std::isfinite(e.low)) return fmt::format("{:.{}f}", scale * e.value, digits);
  return fmt::format("{:.{}f} [{:.{}f}, {:.{}f}]", scale * e.value, digits, scale * e.low, digits,
                     scale * e.high, digits);
}

std::string flop_text(double flop) {
  return flop > 0 ? fmt::format("{:.3g}", flop / 1e9) : "-";
}

std::string table(const EvaluationResults& r) {
  constexpr std::size_t kShownMeasures = 4;  // the rest stands in the files
  const std::size_t shown_count = std::min(kShownMeasures, r.measures.size());
  Row head{""};
  for (std::size_t i = 0; i < shown_count; ++i)
    head.push_back(r.measures[i].name + (r.measures[i].share ? " %" : ""));
  head.push_back("GFLOP/item");
  std::vector<Row> rows{head};
  for (const TableEntry& e : r.entries) {
    std::string name = e.name;
    if (e.role == Role::kOracle) name += " (cannot be reached)";
    if (e.name == r.chosen) name += " <- chosen on the fit split";
    Row row{name};
    for (std::size_t i = 0; i < shown_count; ++i) row.push_back(with_interval(r.measures[i], e.measures[i]));
    row.push_back(flop_text(e.flop));
    rows.push_back(std::move(row));
  }
  return aligned(rows);
}

// Every strategy against one of the rivals in the first measure.
std::string rivalry(const EvaluationResults& r, std::string_view role) {
  const MeasureInfo& m = r.measures.front();
  std::vector<Row> rows;
  for (const Comparison& c : r.comparisons) {
    if (c.role != role || c.measure != m.name) continue;
    if (rows.empty())
      rows.push_back({fmt::format("{} against {} ({})", m.name, c.against, role),
                      m.share ? "difference, points" : "difference", "p", "Holm", "verdict",
                      "80 % power finds"});
    const double scale = m.share ? 100 : 1;
    rows.push_back(
        {"  " + c.entry,
         fmt::format("{} [{}, {}]", shown_difference(m, c.difference.value),
                     shown_difference(m, c.difference.low), shown_difference(m, c.difference.high)),
         shown_p(c.p), shown_p(c.p_holm), c.verdict,
         std::isfinite(c.detectable) ? fmt::format("{:.{}f}", c.detectable * scale, m.share ? 1 : 3) : "-"});
  }
  return rows.empty() ? std::string() : aligned(rows) + '\n';
}

// Prediction sets of one kind: the other kinds stand in the files.
std::string sets_text(const EvaluationResults& r) {
  std::vector<Row> rows;
  for (const PredictionSets& s : r.sets) {
    if (s.score != "APS") continue;
    if (rows.empty())
      rows.push_back({fmt::format("prediction sets (APS) for {:.0f} % coverage", 100 * (1 - kSetMissRate)),
                      "coverage %", "expected", "classes in a set", "one class only %"});
    rows.push_back({"  " + s.contestant, fmt::format("{:.1f}", 100 * s.coverage),
                    fmt::format("{:.1f} to {:.1f}", 100 * s.band_low, 100 * s.band_high),
                    fmt::format("{:.2f}", s.mean_size), fmt::format("{:.1f}", 100 * s.single)});
  }
  return rows.empty() ? std::string() : aligned(rows) + '\n';
}

std::string calibrators_text(const EvaluationResults& r) {
  std::vector<Row> rows;
  for (const CalibratorResult& c : r.calibrators) {
    if (rows.empty())
      rows.push_back({"calibrated on the fit split", "by", "nll", "brier", "ece %", "debiased %"});
    rows.push_back({"  " + c.contestant, c.way, fmt::format("{:.4f}", c.nll), fmt::format("{:.4f}", c.brier),
                    fmt::format("{:.2f}", 100 * c.ece), fmt::format("{:.2f}", 100 * c.ece_debiased)});
  }
  return rows.empty() ? std::string() : aligned(rows) + '\n';
}

}  // namespace

std::string results_text(const EvaluationResults& r) {
  std::string out = fmt::format("{} ({}): {} test items", r.task, r.kind, r.items_test);
  if (r.clusters < r.items_test) out += fmt::format(" in {} groups", r.clusters);
  out += fmt::format(", {} for fitting", r.items_fit);
  if (r.items_train > 0) out += fmt::format(", {} for training", r.items_train);
  out += "; 95 % intervals\n\n" + table(r) + '\n';
  out += rivalry(r, "best member") + rivalry(r, "same compute");
  out += sets_text(r) + calibrators_text(r);
  for (const Comparison& c : r.comparisons)
    if (c.entry == r.chosen) out += c.sentence + '\n';
  const TableEntry* chosen = r.find(r.chosen);
  if (chosen != nullptr && chosen->role == Role::kMember)
    out += "the fit split prefers one member: " + r.chosen + ", no ensemble\n";
  out += fmt::format(
      "{} variants were measured on the test split, {} tests made (Holm's correction over all).\n", r.tried,
      r.comparisons.size());
  for (const std::string& note : r.notes) out += "note: " + note + '\n';
  return out;
}

}  // namespace consort
