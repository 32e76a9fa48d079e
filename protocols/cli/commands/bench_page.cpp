#include "protocols/cli/commands/bench_page.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "agents/evaluation/report/drawing.h"
#include "agents/evaluation/report/page.h"

namespace consort::bench {
namespace {

double number(const Value& v, std::string_view key) {
  const Value member = v.get(key);
  return member.is_number() ? member.as_number() : 0;
}

std::string text(const Value& v, std::string_view key) {
  const Value member = v.get(key);
  return member.is_string() ? member.as_string() : std::string();
}

std::string spaced(std::string unit) {
  std::replace(unit.begin(), unit.end(), '_', ' ');
  if (const auto at = unit.find(" per "); at != std::string::npos) unit.replace(at, 5, "/");
  return unit;
}

struct Series {
  std::vector<Point> measured, allowed;
};

Series series_of(const Value& rows) {
  Series out;
  for (const Value& row : rows.as_array()) {
    const double at = number(row, "rows"), rate = number(row, "tokens_per_s"), share = number(row, "share");
    if (!(rate > 0)) continue;
    out.measured.push_back({at, rate});
    if (share > 0) out.allowed.push_back({at, number(row, "max") / share});
  }
  return out;
}

std::string rows_figure(const Value& result) {
  const Series prompts = series_of(result.get("prompts")), together = series_of(result.get("sequences"));
  double least = 1e300, most = 0, last = 1;
  for (const Series* s : {&prompts, &together})
    for (const auto* points : {&s->measured, &s->allowed})
      for (const Point& p : *points) {
        least = std::min(least, p.y);
        most = std::max(most, p.y);
        last = std::max(last, p.x);
      }
  if (most == 0) return {};
  Drawing d(940, 400);
  d.frame({64, 40, 850, 280}, {1, std::max(2.0, last), "rows of a step", true, false, true},
          {least / 1.3, most * 1.3, "tokens per second", true, false, true});
  const std::pair<const Series*, const char*> drawn[] = {{&prompts, "s0"}, {&together, "s1"}};
  for (const auto& [s, style] : drawn) {
    d.line(s->allowed, style, true);
    d.line(s->measured, style);
    for (const Point& p : s->measured)
      d.mark(p, style, fmt::format("{} rows: {:.4g} tokens/s", p.x, p.y), 3.5);
  }
  d.legend(64, 368,
           {{"s0", "a prompt of so many tokens"},
            {"s1", "so many sequences that decode together"},
            {"s0 dash", "what the machine allows"}},
           270);
  const Value worst = result.get("worst_step");
  return fmt::format(
      "<figure><h3>{}</h3><figcaption>Solid: median of the rounds. Dashed: the rate at which the measured "
      "memory "
      "or arithmetic would be used up. A larger step is nowhere slower than {:.0f} % (prompts) and {:.0f} % "
      "(sequences) of the best smaller one.</figcaption><div class=\"scroll\">{}</div></figure>\n",
      xml_text(text(result, "model")), 100 * number(worst, "prompts"), 100 * number(worst, "sequences"),
      d.svg("Tokens per second against rows: " + text(result, "model"), false));
}

std::string table_row(const Value& result) {
  const std::string head = fmt::format("<tr><td>{}</td><td>{}</td>", xml_text(text(result, "name")),
                                       xml_text(text(result, "model")));
  if (const std::string why = text(result, "skipped"); !why.empty())
    return head + fmt::format("<td colspan=\"4\" class=\"soft\">not measured: {}</td></tr>\n", xml_text(why));
  const Figure f = figure_of(result);
  std::string row =
      head + fmt::format("<td class=\"n\">{}<span class=\"range\">{} to {}</span></td><td>{}</td>",
                         short_number(f.value), short_number(f.low), short_number(f.high),
                         xml_text(spaced(f.unit)));
  if (f.share <= 0) return row + "<td></td><td class=\"n soft\">\u2013</td></tr>\n";
  return row + fmt::format(
                   "<td>{}</td><td class=\"n\">{:.0f} %<div style=\"height:5px;border-radius:3px;"
                   "background:var(--line)\"><div style=\"height:5px;border-radius:3px;width:{:.0f}%;"
                   "background:var(--accent)\"></div></div></td></tr>\n",
                   xml_text(f.bound), 100 * f.share, std::min(100.0, 100 * f.share));
}

std::string facts(const Value& roof) {
  static constexpr std::pair<const char*, const char*> kFacts[] = {
      {"dram_read_gbs", "GB/s from memory"},          {"l3_read_gbs", "GB/s from the last cache"},
      {"cache_read_gbs", "GB/s from 1 MiB a thread"}, {"f32_gflops", "GFLOP/s in float32"},
      {"bf16_gflops", "GFLOP/s in bfloat16"},         {"int16_gops", "GOP/s of exact 16-bit products"},
      {"int8_gops", "GOP/s of 8-bit products"}};
  std::string out = "<div class=\"facts\">";
  for (const auto& [key, words] : kFacts) {
    const double v = number(roof, key);
    out += fmt::format("<div><b>{}</b><span class=\"soft small\">{}</span></div>",
                       v > 0 ? fmt::format("{:.4g}", v) : std::string("none"), words);
  }
  return out + "</div>\n";
}

}  // namespace

Figure figure_of(const Value& result) {
  Figure f;
  std::string before;
  for (const auto& [key, member] : result.as_object()) {
    if (key == "min") {
      f.unit = before;
      f.value = number(result, before);
      break;
    }
    before = key;
  }
  f.low = number(result, "min");
  f.high = number(result, "max");
  const Value roof = result.get("roof");
  if (!roof.is_object()) return f;
  f.bound = text(roof, "bound");
  f.share = number(roof, "share");
  return f;
}

std::string report_page(const Value& report) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>Consort on this "
      "machine</title><style>{}{}</style>"
      "</head><body><main>\n<p class=\"eyebrow\">consort bench report</p>\n<h1>What this machine allows, and "
      "what is made of it</h1>\n<p class=\"soft\">{} threads, {}, rounds of each: {}. The roof is measured "
      "first, "
      "in the same process; a share is the least time that memory or arithmetic needs for the work, over the "
      "time of the best round. Shares above 100 % mean that the roof was measured in a busy moment, or that "
      "a "
      "cache holds what counts as memory.</p>\n",
      page_style(), drawing_style(), static_cast<int>(number(report, "threads")),
      xml_text(text(report, "isa")), static_cast<int>(number(report, "rounds")));
  out += facts(report.get("roof"));
  out +=
      "<h2>Benches</h2>\n<div class=\"wide\"><table><tr><th>bench</th><th>model</th><th "
      "class=\"n\">median</th><th>unit</th><th>bound by</th><th class=\"n\">share</th></tr>\n";
  std::string plots;
  for (const Value& result : report.get("benches").as_array()) {
    out += table_row(result);
    if (text(result, "name") == "rows" && text(result, "skipped").empty()) plots += rows_figure(result);
  }
  out += "</table></div>\n";
  if (!plots.empty()) out += "<h2>Speed against rows</h2>\n" + plots;
  return out + "</main></body></html>\n";
}

}  // namespace consort::bench
